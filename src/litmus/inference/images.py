"""A network that reads images, and what it answers about files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from litmus.data.image.cache import in_threads
from litmus.data.image.decode import Broken, Photo, placed
from litmus.data.image.transform import Normalize
from litmus.spec import Boxes


class ImagePredictor:
    """A network, asked about pictures in files."""

    batch_size = 16

    def __init__(self, net: Any) -> None:
        self.net = net
        self.draws = isinstance(net.spec.target, Boxes)

    def predict(self, paths: Sequence[Path], batch_size: int, topk: int, min_score: float) -> Iterator[dict[str, Any]]:
        """One for each, in their order: `image`, and `error`, or `label` and `probabilities`, or `boxes`."""
        for start in range(0, len(paths), batch_size):
            some = paths[start : start + batch_size]
            found = [{"image": str(path)} for path in some]
            photos: dict[int, Photo] = {}
            for i, (_, photo) in enumerate(in_threads(some, self.net.spec.input)):
                if isinstance(photo, Broken):
                    found[i]["error"] = str(photo)
                else:
                    photos[i] = photo
            if photos:
                made = self._batch(list(photos.values()), topk, min_score)
                for i, answer in zip(photos, made, strict=True):
                    found[i] |= answer | ({"note": photos[i].note} if photos[i].note else {})
            yield from found

    def _batch(self, photos: list[Photo], topk: int, min_score: float) -> list[dict[str, Any]]:
        spec = self.net.spec
        pixels = torch.from_numpy(np.stack([photo.pixels for photo in photos]))
        normalised = Normalize(spec.input, None, torch.device("cpu"))
        with torch.inference_mode():
            outputs = self.net(normalised(pixels, torch.Generator(), len(pixels), slice(None)))
            if self.draws:
                boxes = self.net.boxes(outputs, min_score, several=False)
                return [self._named(own, photo.size) for own, photo in zip(boxes, photos, strict=True)]
        probabilities = outputs.float().softmax(dim=1)
        best = probabilities.topk(min(topk, probabilities.shape[1]), dim=1)
        names = spec.target.names
        return [
            {"label": names[which[0]], "probabilities": {names[i]: p for i, p in zip(which, values, strict=True)}}
            for which, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def _named(self, boxes: torch.Tensor, size: tuple[int, int]) -> dict[str, Any]:
        """Boxes in the photo's own pixels: left, top, right, bottom."""
        (height, width), left, top = placed(size, self.net.spec.input)
        scale = boxes.new_tensor([size[1] / width, size[0] / height] * 2)
        edges = (boxes[:, :4] - boxes.new_tensor([left, top] * 2)) * scale
        edges = edges.clamp(min=0).minimum(boxes.new_tensor([size[1], size[0]] * 2))
        names = self.net.spec.target.names
        return {
            "boxes": [
                {"label": names[int(number)], "score": score, "box": [round(edge, 1) for edge in edge_row]}
                for edge_row, (score, number) in zip(edges.tolist(), boxes[:, 4:].tolist(), strict=True)
            ]
        }
