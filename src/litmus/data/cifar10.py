"""CIFAR-10: 50,000 + 10,000 color photos of animals and vehicles of 32 x 32 (Krizhevsky 2009)."""

import pickle
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from litmus.data.image.published import PublishedImages, Samples
from litmus.data.image.transform import Augmentation, random_shift
from litmus.errors import UserError
from litmus.fetch import download
from litmus.fetch.once import once

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
URL_CHECKSUM = "md5:c58f30108f718f92721af3b95e74349a"
INSIDE = "cifar-10-batches-py/"
SHAPE = (3, 32, 32)

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]  # pixels (samples, 3072), and labels


class CIFAR10(PublishedImages):
    """Photos of ten classes; server and hashes are those that torchvision has."""

    dataset: ClassVar = "cifar10"
    class_names: ClassVar = (
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    )
    checksums: ClassVar = {
        "data_batch_1": "md5:c99cafc152244af753f735de768cd75f",
        "data_batch_2": "md5:d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "md5:54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "md5:634d18415352ddfa80567beed471001a",
        "data_batch_5": "md5:482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "md5:40351d587109b95175f43aff81a1287e",
    }
    usual_flip: ClassVar = 0.5

    @property
    def light(self) -> Augmentation:
        return random_shift

    def official(self) -> download.Fetch:
        return download.from_archive(URL, INSIDE, checksum=URL_CHECKSUM)

    def read(self) -> tuple[Samples, Samples]:
        *training, test = (once(read_batch, self.folder / name) for name in self.checksums)
        pixels, labels = (np.concatenate(each) for each in zip(*training, strict=True))
        return _as_samples(pixels, labels), _as_samples(*test)


def read_batch(path: Path) -> Batch:
    """A file of CIFAR-10: Python 2's pickle of a dictionary.

    Raises:
        UserError: it is something else.
    """
    try:
        with path.open("rb") as file:
            content = _Unpickler(file, encoding="latin1").load()
        pixels, labels = content["data"], np.array(content["labels"], dtype=np.int64)
        if pixels.dtype != np.uint8 or pixels.shape != (len(labels), np.prod(SHAPE)):
            raise ValueError(f"its pixels are {pixels.dtype} of shape {pixels.shape}")
    except Exception as error:  # whatever bytes that are no such pickle make it stumble over
        raise UserError(f"{path} is no file of CIFAR-10: {error}.") from None
    return pixels, labels


class _Unpickler(pickle.Unpickler):
    """Makes plain values and arrays of numbers; a pickle may name any function to call, and all others are refused."""

    def find_class(self, module: str, name: str) -> object:
        found = _ALLOWED.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"it would call {module}.{name}")
        return found


def _array(kind: type[NDArray[np.uint8]], shape: tuple[int, ...], code: str) -> NDArray[np.uint8]:  # noqa: ARG001
    """The empty array that a pickle begins with: its content follows."""
    return np.ndarray(0, np.uint8)


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def _as_samples(pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> Samples:
    return torch.tensor(pixels).unflatten(1, SHAPE), torch.tensor(labels)
