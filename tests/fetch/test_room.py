"""What caches and statistics take: bounded, and said."""

import logging
import os
from pathlib import Path

import pytest
import torch
from PIL import Image

from litmus.data.image import cache, transform
from litmus.data.image.cache import collect
from litmus.data.image.transform import mean_and_std
from litmus.data.text import tokens
from litmus.data.text.tokens import tokenize
from litmus.fetch.room import make_room
from litmus.model._vocabulary import words
from litmus.spec import Images


def test_entries_unused_for_longest_make_room(tmp_path: Path) -> None:
    for age, name in enumerate("abcd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "pixels").write_bytes(bytes(100))
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    (tmp_path / "other").write_bytes(bytes(1000))
    make_room(tmp_path, 250, "[a-d]")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "other"]
    make_room(tmp_path / "missing", 0, ".*")


def photos(folder: Path, number: int, brightness: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{i}.png" for i in range(number)]
    for i, path in enumerate(paths):
        Image.new("RGB", (8, 8), (brightness, i, 0)).save(path)
    return paths


def test_the_photo_cache_is_bounded_and_says_what_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    images, folder = Images(3, 8, 8, (), (), 8), tmp_path / "cache"
    monkeypatch.setattr(cache, "MOST_BYTES", 6000)  # an entry takes 10 * 3 * 8 * 8, and its facts
    for name in ("one", "two", "three", "four"):
        collect(photos(tmp_path / name, 10, len(name)), images, folder)
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 6000 + 2000
    assert "10 images are kept in 0.00 GB (at most 80% of the free space" in caplog.text
    assert "makes room" in caplog.text
    monkeypatch.setattr(cache, "MOST_BYTES", 100)
    many = collect(photos(tmp_path / "five", 10, 9), images, folder)
    assert isinstance(many.pixels, cache.Files)
    assert "has no space for 0.00 GB of images" in caplog.text


def test_the_cache_of_tokens_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = words(["a lovely film"], vocabulary_size=10, min_count=1, max_length=8)
    monkeypatch.setattr(tokens, "MOST_BYTES", 3000)
    for i in range(12):
        tokenize([f"a lovely film {i}"] * 20, spec, tmp_path)
    assert 0 < len(list(tmp_path.iterdir())) < 6


@pytest.mark.parametrize("side", [4, 64, 512])
def test_statistics_of_pictures_are_counted_by_bytes(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """4,096 pictures of 1,024 pixels at once were 12 GB of bytes, and four times as much to count them."""
    monkeypatch.setattr(transform, "CHUNK_BYTES", 10_000)

    class Watched:
        most = 0

        def index_select(self, _: int, rows: torch.Tensor) -> torch.Tensor:
            self.most = max(self.most, len(rows))
            generator = torch.Generator().manual_seed(0)
            return torch.randint(0, 256, (12, 3, side, side), dtype=torch.uint8, generator=generator)[rows]

    watched = Watched()
    found = mean_and_std(watched, torch.arange(12))
    assert watched.most == max(1, min(12, 10_000 // (3 * side**2)))
    monkeypatch.setattr(transform, "CHUNK_BYTES", 10**9)
    assert found == mean_and_std(watched, torch.arange(12))
