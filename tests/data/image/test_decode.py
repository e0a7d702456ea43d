"""Photos of every kind are read right, or named."""

import io
import os
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from litmus.data.image import cache, decode
from litmus.data.image.cache import collect
from litmus.data.image.decode import Broken, center_crop, find_images, letterbox_geometry, read
from litmus.spec import Images

RED = Images(3, 16, 16, (), (), 16)
GREY = Images(1, 16, 16, (), (), 16)
WHOLE = Images(3, 16, 16, (), ())


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def halves(mode: str, left: object, right: object, size: tuple[int, int] = (40, 20)) -> Image.Image:
    image = Image.new(mode, size, left)
    image.paste(right, (size[0] // 2, 0, *size))
    return image


def test_colour_grey_palette_and_cmyk_become_what_is_asked_for(tmp_path: Path) -> None:
    for name, image in (
        ("rgb.png", Image.new("RGB", (20, 20), (200, 100, 50))),
        ("palette.png", Image.new("RGB", (20, 20), (200, 100, 50)).convert("P", palette=Image.Palette.ADAPTIVE)),
        ("cmyk.tif", Image.new("RGB", (20, 20), (200, 100, 50)).convert("CMYK")),
        ("cmyk.jpg", Image.new("RGB", (20, 20), (200, 100, 50)).convert("CMYK")),  # stored inverted, as Adobe does
    ):
        pixels = read(saved(tmp_path / name, image), RED).pixels
        assert pixels.shape == (3, 16, 16)
        assert np.abs(pixels[:, 8, 8].astype(int) - [200, 100, 50]).max() <= 3, name
    grey = read(saved(tmp_path / "grey.png", Image.new("L", (20, 20), 77)), RED).pixels
    assert (grey == 77).all()
    assert read(tmp_path / "rgb.png", GREY).pixels.shape == (1, 16, 16)
    one_bit = read(saved(tmp_path / "one.png", Image.new("1", (20, 20), 1)), RED).pixels
    assert (one_bit == 255).all()


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    wide = Image.fromarray(np.full((20, 20), 0x80FF, dtype=np.uint16))
    for name in ("wide.png", "wide.tif", "wide.pgm"):
        assert (read(saved(tmp_path / name, wide), GREY).pixels == 0x80).all()


def test_numbers_without_a_range_are_refused(tmp_path: Path) -> None:
    image = Image.fromarray(np.full((20, 20), 0.5, dtype=np.float32))
    with pytest.raises(Broken, match="numbers without a known range"):
        read(saved(tmp_path / "float.tif", image), GREY)


def test_what_is_transparent_becomes_white(tmp_path: Path) -> None:
    image = Image.new("RGBA", (20, 20), (255, 0, 0, 0))
    assert (read(saved(tmp_path / "clear.png", image), RED).pixels == 255).all()


@pytest.mark.parametrize(
    ("orientation", "dark"),  # the left half is stored dark
    [(1, "left"), (2, "right"), (3, "right"), (4, "left"), (5, "top"), (6, "top"), (7, "bottom"), (8, "bottom")],
)
def test_exif_turns_a_photo_upright(tmp_path: Path, orientation: int, dark: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path / "turned.jpg", halves("RGB", "black", "white"), exif=exif)
    photo = read(path, WHOLE)
    turned = dark in ("top", "bottom")
    assert photo.size == ((40, 20) if turned else (20, 40))
    first, second = ((3, 8), (12, 8)) if turned else ((8, 3), (8, 12))
    first, second = (first, second) if dark in ("top", "left") else (second, first)
    assert photo.pixels[0, *first] < 30
    assert photo.pixels[0, *second] > 225


def test_the_first_picture_of_an_animation_is_used_and_that_is_said(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    photo = read(saved(tmp_path / "a.gif", first, save_all=True, append_images=[second]), RED)
    assert "animated" in photo.note
    assert photo.pixels[0, 8, 8] > 200


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"hello", "is not an image"), (b"\xff\xd8\xff\xe0 half a header", "is damaged")],
)
def test_what_is_no_photo_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes(content)
    with pytest.raises(Broken, match=said):
        read(path, RED)


def test_half_a_photo_is_damaged(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.effect_noise((200, 200), 50).convert("RGB").save(buffer, "PNG")
    path = tmp_path / "half.png"
    path.write_bytes(buffer.getvalue()[: len(buffer.getvalue()) // 2])
    with pytest.raises(Broken, match="is damaged"):
        read(path, RED)


def test_a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "large.png", Image.new("L", (300, 300)))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Broken, match="decompression bomb"):
        read(path, GREY)


@pytest.mark.parametrize("size", [(300, 231), (231, 300), (500, 224), (256, 256), (64, 97)])
def test_cutting_is_torchvision_s(size: tuple[int, int]) -> None:
    from torchvision.transforms import functional

    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(noise)
    ours = center_crop(image, Images(3, 56, 56, (), (), 64))
    theirs = functional.center_crop(functional.resize(image, [64]), [56])  # type: ignore[arg-type]
    # Pillow keeps the box of what is shown in float32: a value between two levels may become the other.
    difference = abs(np.asarray(ours, int) - np.asarray(theirs, int))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.001


@pytest.mark.parametrize("size", [(40, 20), (20, 40), (100, 30), (7, 7), (33, 64)])
def test_a_box_survives_the_bars_to_the_pixel(tmp_path: Path, size: tuple[int, int]) -> None:
    """The image is white, the bars are grey: where it lies is seen."""
    wanted = Images(3, 32, 32, (), ())
    photo = read(saved(tmp_path / "white.png", Image.new("RGB", size, "white")), wanted)
    (height, width), left, top = letterbox_geometry(photo.size, wanted)
    rows, columns = np.nonzero(photo.pixels[0] == 255)
    assert (rows.min(), rows.max() + 1) == (top, top + height)
    assert (columns.min(), columns.max() + 1) == (left, left + width)
    assert max(height, width) == 32
    assert set(np.unique(photo.pixels)) <= {decode.PADDING, 255}


def test_photos_are_read_once_and_kept_by_what_they_were_made_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [saved(tmp_path / f"{i}.png", Image.new("RGB", (20, 20), (i, 0, 0))) for i in range(5)]
    (tmp_path / "bad.png").write_bytes(b"no")
    paths.insert(2, tmp_path / "bad.png")
    cache = tmp_path / "cache"
    first = collect(paths, RED, cache)
    assert [p.name for p in first.paths] == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert first.pixels[:, 0, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert list(first.broken) == [tmp_path / "bad.png"]
    real = decode.read_all
    # What was broken is tried again, the others are not read.
    monkeypatch.setattr(
        decode, "read_all", lambda paths, images: real([p for p in paths if p.name == "bad.png"], images)
    )
    again = collect(paths, RED, cache)
    assert torch.equal(again.pixels, first.pixels)
    assert (again.sha256, again.sizes, again.broken) == (first.sha256, first.sizes, first.broken)
    monkeypatch.undo()
    saved(paths[0], Image.new("RGB", (20, 20), (99, 0, 0)), compress_level=0)
    assert collect(paths, RED, cache).pixels[0, 0, 0, 0] == 99, "another file, other pixels"
    assert not [p for p in cache.iterdir() if "writing" in p.name]
    monkeypatch.chdir(tmp_path)
    relative = [p.relative_to(tmp_path) for p in paths]
    assert collect(relative, RED, cache).paths == [p for p in relative if p.name != "bad.png"], "by how they are named"
    saved(tmp_path / "bad.png", Image.new("RGB", (20, 20)))
    os.utime(tmp_path / "bad.png", ns=(1, 1))
    assert len(collect(paths, RED, cache).paths) == 6


def test_a_file_that_could_not_be_read_for_a_moment_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [saved(tmp_path / f"{i}.png", Image.new("RGB", (20, 20), (i, 0, 0))) for i in range(3)]
    real = Path.read_bytes

    def fails(path: Path) -> bytes:
        if path.name == "1.png":
            raise OSError(5, "Input/output error")
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", fails)
    assert len(collect(paths, RED, tmp_path / "cache").paths) == 2
    monkeypatch.undo()
    assert collect(paths, RED, tmp_path / "cache").pixels[:, 0, 0, 0].tolist() == [0, 1, 2]


def test_a_strip_does_not_become_endless(tmp_path: Path) -> None:
    path = saved(tmp_path / "strip.png", Image.new("L", (1, 20_000), 9))
    tracemalloc.start()
    assert (read(path, Images(3, 224, 224, (), (), 256)).pixels == 9).all()
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_file_that_is_not_there_is_broken(tmp_path: Path) -> None:
    there = saved(tmp_path / "there.png", Image.new("RGB", (20, 20)))
    photos = collect([there, tmp_path / "gone.png"], RED, tmp_path / "cache")
    assert "cannot be read" in photos.broken[tmp_path / "gone.png"]


def test_where_there_is_no_room_photos_are_read_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [saved(tmp_path / f"{i}.png", Image.new("RGB", (20, 20), (i, 0, 0))) for i in range(5)]
    monkeypatch.setattr(cache, "MAX_DISK", 0.0)
    photos = collect(paths, RED, tmp_path / "cache")
    assert "has no space" in caplog.text
    assert photos.pixels.index_select(0, torch.tensor([3, 1]))[:, 0, 0, 0].tolist() == [3, 1]
    assert not list((tmp_path / "cache").iterdir())
    paths[3].unlink()
    with pytest.raises(OSError, match="cannot be read"):
        photos.pixels.index_select(0, torch.tensor([3]))


def test_a_cache_that_cannot_be_written_to_is_done_without(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = [saved(tmp_path / f"{i}.png", Image.new("RGB", (20, 20), (i, 0, 0))) for i in range(3)]
    (tmp_path / "file").touch()
    photos = collect(paths, RED, tmp_path / "file" / "cache")
    assert "cannot be written to" in caplog.text
    assert photos.pixels.index_select(0, torch.tensor([2]))[0, 0, 0, 0] == 2


def test_what_others_have_kept_is_used_where_one_may_only_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = saved(tmp_path / "0.png", Image.new("RGB", (20, 20), (7, 0, 0)))
    collect([path], RED, tmp_path / "cache")

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    for module, name in ((os, "utime"), (os, "mkdir"), (cache.tempfile, "TemporaryDirectory")):
        monkeypatch.setattr(module, name, refuse)
    assert torch.equal(collect([path], RED, tmp_path / "cache").pixels[:, 0, 0, 0], torch.tensor([7]).byte())
    assert caplog.text == ""


def test_what_nobody_used_for_a_month_is_removed_and_nothing_else(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.png", Image.new("RGB", (20, 20)))
    cache = tmp_path / "cache"
    collect([path], RED, cache)
    (kept,) = cache.iterdir()
    for name in ("mine", "a" * 64, "b" * 64, ".writing-x"):
        (cache / name).mkdir()
    for folder in cache.iterdir():
        days = 2 if folder.name in (".writing-x", "b" * 64) else 40
        os.utime(folder, (time.time() - days * 86_400,) * 2)
    assert collect([path], GREY, cache).paths
    left = {folder.name for folder in cache.iterdir()}
    assert {"mine", "b" * 64} < left
    assert not {kept.name, "a" * 64, ".writing-x"} & left
    (again,) = (cache / name for name in left - {"mine", "b" * 64})
    os.utime(again, (time.time() - 20 * 86_400,) * 2)
    collect([path], GREY, cache)
    assert time.time() - again.stat().st_mtime < 60, "when it was last used"


def test_hidden_and_other_files_are_no_photos(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.PNG", ".hidden.jpg", "notes.txt", "sub/c.webp", ".git/d.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    photos, others = find_images(tmp_path)
    assert [p.name for p in photos] == ["a.jpg", "b.PNG", "c.webp"]
    assert others == 1


def test_too_little_memory_is_no_fault_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    path = saved(tmp_path / "a.png", Image.new("RGB", (8, 8)))
    monkeypatch.setattr(decode, "center_crop", fail)
    with pytest.raises(MemoryError):
        read(path, RED)
