"""A cache of images that is larger than memory is mapped, and stays as it is."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from litmus.data.image import cache
from litmus.spec import Images

SMALL = Images(channels=3, height=32, width=32, mean=(), std=())
BYTES_OF_ONE = 3 * 32 * 32


def total_memory() -> int:
    """Bytes of memory and swap."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    sizes = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
    return 1024 * (sizes["MemTotal"] + sizes["SwapTotal"])


@pytest.mark.skipif(not Path("/proc/meminfo").is_file(), reason="Linux says how much memory there is")
def test_a_cache_larger_than_memory_is_mapped(tmp_path: Path) -> None:
    """With a file that is one hole but for its first image, and takes no space on the disk."""
    num = total_memory() // BYTES_OF_ONE + 10_000
    with (tmp_path / cache.PIXELS).open("wb") as file:
        file.write(bytes([7]) * BYTES_OF_ONE)
        file.truncate(num * BYTES_OF_ONE)
    pixels = cache._mapped(tmp_path / cache.PIXELS, (num, 3, 32, 32))
    assert pixels.nbytes > total_memory()
    assert pixels.index_select(0, torch.tensor([0, num - 1])).flatten(1).float().mean(dim=1).tolist() == [7.0, 0.0]


def test_a_cache_that_nobody_may_write_to_is_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    first = cache.collect([tmp_path / "one.png"], SMALL, tmp_path / "cache")
    (entry,) = (tmp_path / "cache").iterdir()
    before = (entry / cache.PIXELS).read_bytes()
    (entry / cache.PIXELS).chmod(0o444)
    again = cache.collect([tmp_path / "one.png"], SMALL, tmp_path / "cache")
    assert torch.equal(again.pixels.index_select(0, torch.tensor([0])), first.pixels.index_select(0, torch.tensor([0])))
    assert (entry / cache.PIXELS).read_bytes() == before


def test_of_two_runs_at_once_one_reads_the_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other waits, and takes them from the cache, which nobody replaces under its feet."""
    pixels = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    read, calls = cache._read_all, []

    def slowly(*arguments: Any) -> Any:
        calls.append(arguments)
        time.sleep(0.3)
        return read(*arguments)

    monkeypatch.setattr(cache, "_read_all", slowly)
    with ThreadPoolExecutor(2) as runs:
        found = list(runs.map(lambda _: cache.collect([tmp_path / "one.png"], SMALL, tmp_path / "cache"), range(2)))
    assert len(calls) == 1
    for photos in found:
        own = photos.pixels.index_select(0, torch.tensor([0]))[0]
        assert torch.equal(own, torch.from_numpy(pixels.transpose(2, 0, 1)))
