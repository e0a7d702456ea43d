"""Small files in the very format of published datasets of images, in place of the real ones."""

import gzip
import hashlib
import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from litmus.data.cifar10 import CIFAR10
from litmus.data.fashion_mnist import FashionMNIST
from litmus.data.image.published import PublishedImages
from litmus.data.kmnist import KMNIST

NUM_TRAIN, NUM_TEST = 300, 100
VAL = "data.val_size=60"
ON_FASHION = ["data=fashion_mnist", VAL, "trainer=cpu"]
ON_KMNIST = ["data=kmnist", VAL, "trainer=cpu"]
ON_CIFAR = ["data=cifar10", VAL, "trainer=cpu"]


def write_published(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Writes fashion_mnist/, kmnist/ and cifar10/ into the folder; their hashes are taken for the published ones."""
    for seed, kind in enumerate((FashionMNIST, KMNIST)):
        images, labels = drawn(NUM_TRAIN + NUM_TEST, (28, 28), seed)
        train, test = slice(NUM_TRAIN), slice(NUM_TRAIN, None)
        contents = [idx(each) for part in (train, test) for each in (images[part], labels[part])]
        _write(folder, kind, [gzip.compress(each) for each in contents], patch)
    images, labels = drawn(NUM_TRAIN + NUM_TEST, (3, 32, 32), 2)
    bounds = [*range(0, NUM_TRAIN + 1, NUM_TRAIN // 5), NUM_TRAIN + NUM_TEST]
    parts = [slice(start, stop) for start, stop in pairwise(bounds)]
    _write(folder, CIFAR10, [cifar(images[part].reshape(-1, 3072), labels[part]) for part in parts], patch)


def _write(folder: Path, kind: type[PublishedImages], contents: list[bytes], patch: pytest.MonkeyPatch) -> None:
    (folder / kind.dataset).mkdir(parents=True)
    for name, content in zip(kind.checksums, contents, strict=True):
        (folder / kind.dataset / name).write_bytes(content)
    sums = (f"md5:{hashlib.md5(content).hexdigest()}" for content in contents)
    patch.setattr(kind, "checksums", dict(zip(kind.checksums, sums, strict=True)))


def drawn(number: int, shape: tuple[int, ...], seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Noise with a bright bar, whose place is the class."""
    generator = np.random.default_rng(seed)
    labels = (np.arange(number) % 10).astype(np.uint8)
    images = generator.integers(0, 60, (number, *shape), dtype=np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[..., 2 * label + 4 : 2 * label + 7, 4:20] += 160
    return images, labels


def idx(array: NDArray[np.uint8]) -> bytes:
    """As Yann LeCun's page describes the format."""
    return struct.pack(f">HBB{array.ndim}i", 0, 8, array.ndim, *array.shape) + array.tobytes()


def cifar(pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bytes:
    """As Python 2 pickles a batch: texts are bytes, and numpy's module has its name of then."""
    dtype = b"cnumpy\ndtype\n" + b"(" + _text(b"u1") + b"K\x00K\x01tR" + b"(K\x03" + _text(b"|") + b"NNN"
    dtype += b"J\xff\xff\xff\xff" * 2 + b"K\x00tb"
    shape = b"(" + b"".join(b"J" + struct.pack("<i", size) for size in pixels.shape) + b"t"
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + _text(b"b") + b"tR"
    array += b"(K\x01" + shape + dtype + b"\x89" + _text(pixels.tobytes()) + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + _text(b"data") + array + _text(b"labels") + numbers + b"u."


def _text(content: bytes) -> bytes:
    return b"T" + struct.pack("<i", len(content)) + content
