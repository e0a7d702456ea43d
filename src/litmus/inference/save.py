"""What a network saw of each image, as files."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from litmus.errors import UserError
from litmus.record.files import replacing


class Inputs:
    """A folder of what a network saw: each image after it was fitted, before its pixels were normalized.

    Args:
        folder: made when the first image is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: set[Path] = set()

    def save(self, pixels: NDArray[np.uint8], name: str) -> Path:
        """Writes uint8 (channels, height, width) as `NAME-input.png`, numbered where two images have that name.

        Raises:
            UserError: the folder cannot be written.
        """
        path, number = self.folder / f"{name}-input.png", 1
        while path in self.written:
            number += 1
            path = self.folder / f"{name}-input-{number}.png"
        self.written.add(path)
        image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with replacing(path) as temporary:
                image.save(temporary, "PNG")
        except OSError as error:
            raise UserError(f"{self.folder} cannot be written: {error.strerror or error}.") from None
        return path
