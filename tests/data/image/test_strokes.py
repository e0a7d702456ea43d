"""Digits as people draw them are brought to what MNIST is; what lies so already stays, to the last bit."""

import json
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import WAYS, Way
from PIL import Image, ImageDraw

from litmus.config.instantiate import build, defaults
from litmus.data.image import cache, decode, strokes
from litmus.data.mnist import MNIST
from litmus.model._weights import input_spec
from litmus.spec import Classes, Images, Spec

BRIGHT = ("white on black", "blue on black", "white on green", "white, ground transparent")


@pytest.fixture(scope="module")
def mnist() -> MNIST:
    section = {**defaults("data", "mnist"), "_target_": "litmus.data.mnist.MNIST", "source": "bundled", "limit": 40}
    data: MNIST = build(section, 0)
    data.prepare_data()
    return data


@pytest.fixture(scope="module")
def images(mnist: MNIST) -> Images:
    assert isinstance(mnist.spec.input, Images)
    return mnist.spec.input


def seen(image: Image.Image, images: Images, kind: str = "PNG") -> tuple[np.ndarray, str]:
    """What a network sees of an image in a file, uint8 (height, width), and the note."""
    photo = read(image, images, kind)
    return photo.pixels[0], photo.note


def read(image: Image.Image, images: Images, kind: str = "PNG", **options: object) -> decode.Photo:
    """An image, read from a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "image")
        image.save(path, kind, **options)
        return decode.read(path, images)


def center(pixels: np.ndarray) -> np.ndarray:
    return np.array([(pixels.sum(axis=axis) * np.arange(28)).sum() / pixels.sum() for axis in (1, 0)])


def test_what_mnist_s_digits_have_in_common_is_discovered(images: Images) -> None:
    assert images.strokes is not None
    assert (images.strokes.height, images.strokes.width, images.strokes.size) == (28, 28, 20)
    assert images.strokes.center == pytest.approx((14.5, 14.5), abs=0.1)  # the middle of pixel 14, counted from 0
    assert images.strokes.pen == pytest.approx(2.4, abs=0.2)


def test_other_images_have_nothing_of_that_in_common(mnist: MNIST) -> None:
    digits = mnist.splits["test"][0][:200, 0].numpy()
    noise = np.random.default_rng(0).integers(0, 256, (200, 28, 28), dtype=np.uint8)
    moved = np.stack([np.roll(digit, 6 * (i % 2), axis=1) for i, digit in enumerate(digits)])
    for others in (noise, 255 - digits, moved, digits[:, ::2, ::2].repeat(2, axis=1), np.zeros_like(digits)):
        assert strokes.facts(others) is None
    assert strokes.facts(digits) is not None


def test_the_facts_do_not_depend_on_how_many_digits_a_run_trains_on(mnist: MNIST, images: Images) -> None:
    section = {**defaults("data", "mnist"), "_target_": "litmus.data.mnist.MNIST", "source": "bundled", "limit": 80}
    more = build(section, 0)
    more.prepare_data()
    assert more.spec.input.strokes == images.strokes
    assert more.spec.input.mean != images.mean


@pytest.mark.wide
def test_mnist_s_own_images_stay_as_they_are(mnist: MNIST, images: Images) -> None:
    digits = mnist.splits["test"][0][:, 0].numpy()
    warned = 0
    for digit in digits:
        pixels, note = seen(Image.fromarray(digit), images)
        assert (pixels == digit).all()
        assert "fitted" not in note
        warned += note != ""
    assert len(digits) == 1000
    assert warned <= 10, "false alarms are to be rare: 0.5 % of MNIST's 10,000 test images"


@pytest.mark.parametrize("way", WAYS)
def test_a_drawn_digit_becomes_as_mnist_s_are(way: str, images: Images) -> None:
    assert images.strokes is not None
    for digit in range(0, 10, 2):
        pixels, note = seen(WAYS[way](digit, digit // 2 % 2, 0), images)
        rows, columns = (np.flatnonzero((pixels >= strokes.INK).any(axis=axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 in (19, 20, 21)
        assert abs(center(pixels) - 14).max() <= 1
        assert pixels[[0, 0, -1, -1], [0, -1, 0, -1]].max() == 0
        assert pixels.max() > 200
        width = float(strokes.statistics(pixels[None]).width[0])
        assert 0.65 * images.strokes.pen <= width <= 1.8 * images.strokes.pen
        assert note.startswith("inverted") == (way not in BRIGHT)
        again, note = seen(Image.fromarray(pixels), images)
        assert (again == pixels).all(), "what the network saw is seen so again"
        assert "fitted" not in note


def test_a_transparent_png_is_put_on_the_ground_on_which_it_stands_out(images: Images) -> None:
    black, white = (seen(WAYS[f"{color}, ground transparent"](3, 0, 0), images)[0] for color in ("black", "white"))
    assert (black == white).all()


def test_a_photo_in_another_orientation_is_turned_upright(images: Images) -> None:
    upright = WAYS["a photo of gray paper"](4, 0, 0)
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[decode.ORIENTATION] = 6  # to be turned by 270 degrees
    photo = read(turned, images, exif=exif)
    assert photo.size == (480, 640)
    assert (photo.pixels[0] == seen(upright, images)[0]).all()


def test_images_are_seen_together_as_alone_and_small_ones_are_looked_at_all_at_once(
    mnist: MNIST, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digits = [Image.fromarray(digit) for digit in mnist.splits["test"][0][:60, 0].numpy()]
    odd = [way(i % 10, 0, 0).resize((28, 28) if i % 2 else (56, 28)) for i, way in enumerate(WAYS.values())]
    odd += [digit.convert(mode) for digit, mode in zip(digits, ("RGB", "P", "LA", "1", "CMYK"), strict=False)]
    odd += [Image.new("L", (28, 28), level) for level in (0, 255)]
    paths = [tmp_path / f"{i}.tif" for i in range(len(digits) + len(odd))]
    for path, image in zip(paths, [*digits, *odd], strict=True):
        image.save(path)
    paths.insert(3, tmp_path / "missing.tif")
    with pytest.raises(decode.Broken) as said:
        decode.read(paths.pop(3), images)
    alone = [decode.read(path, images) for path in paths]
    paths.insert(3, tmp_path / "missing.tif")
    calls = []
    real = strokes.statistics
    monkeypatch.setattr(strokes, "statistics", lambda pixels: calls.append(len(pixels)) or real(pixels))
    together = [photo for _, photo in cache.in_threads(paths[:61], images)]
    assert calls == [60]
    together += [photo for _, photo in cache.in_threads(paths[61:], images)]
    assert str(together.pop(3)) == str(said.value)
    assert len({photo.note for photo in alone}) > 4
    for one, other in zip(alone, together, strict=True):
        assert isinstance(other, decode.Photo)
        assert (one.pixels == other.pixels).all()
        assert replace(one, pixels=other.pixels) == other


def test_what_is_at_the_edge_and_specks_do_not_count(images: Images) -> None:
    clean = WAYS["black on white"](5, 0, 0)
    dirty = clean.copy()
    canvas = ImageDraw.Draw(dirty)
    canvas.rectangle((0, 0, 6, 280), "black")  # the table beside the paper
    canvas.rectangle((260, 20, 263, 22), "black")
    assert (seen(dirty, images)[0] == seen(clean, images)[0]).all()


def test_the_table_around_the_paper_does_not_count(images: Images) -> None:
    paper = WAYS["a photo of gray paper"](4, 0, 0)
    on_table = paper.copy()
    canvas = ImageDraw.Draw(on_table)
    for box in ((0, 0, 640, 40), (0, 0, 50, 480), (0, 450, 640, 480)):
        canvas.rectangle(box, (60, 40, 30))
    (expected, _), (found, note) = seen(paper, images), seen(on_table, images)
    assert note == "inverted, thickened, fitted into 20 pixels, centered"
    assert abs(expected.astype(int) - found).mean() < 5


def test_a_large_jpeg_is_not_made_so_small_that_strokes_are_lost(images: Images) -> None:
    way = Way((2000, 1500), (1200, 300, 260), 6, None, None, smooth=False)
    assert seen(way(3, 0, 0), images, "JPEG")[1] == "inverted, thickened, fitted into 20 pixels, centered"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (2, 2), (1, 3000), (3000, 1), (29, 28), (2000, 9)])
def test_images_of_any_shape_are_seen(shape: tuple[int, int], images: Images) -> None:
    random = np.random.default_rng(0)
    noise, dots = random.integers(0, 256, shape), 255 * (random.random(shape) > 0.05)
    for pixels in (np.zeros(shape), noise, dots, 255 * np.tri(*shape)):
        assert seen(Image.fromarray(pixels.astype(np.uint8)), images)[0].shape == (28, 28)


def test_a_cache_of_images_depends_on_the_facts(images: Images) -> None:
    assert cache._key([], images) != cache._key([], replace(images, strokes=None))


@pytest.mark.parametrize("color", ["white", "black", (90, 120, 60)])
def test_an_empty_image_is_said(color: str | tuple[int, int, int], images: Images) -> None:
    _, note = seen(Image.new("RGB", (300, 200), color), images)
    assert note == "no strokes on an even ground: do not rely on the answer"


def test_a_photo_is_said_to_mean_little(images: Images) -> None:
    found = find_spec("ultralytics")  # not imported: that would change how images are opened
    assert found
    assert found.submodule_search_locations
    assets = Path(found.submodule_search_locations[0], "assets")
    random = np.random.default_rng(0)
    with Image.open(assets / "bus.jpg") as opened:
        photo = opened.convert("RGB")
    said = []
    for _ in range(10):
        side = int(random.integers(120, 700))
        x, y = (int(random.integers(0, whole - side)) for whole in photo.size)
        said.append(seen(photo.crop((x, y, x + side, y + side)), images)[1].endswith("do not rely on the answer"))
    assert sum(said) >= 9


def test_photos_are_never_changed() -> None:
    image = WAYS["black on white"](3, 0, 0)
    pixels, note = seen(image, Images(1, 28, 28, (0.5,), (0.2,)))
    assert note == ""
    assert (pixels == np.asarray(image.convert("L").resize((28, 28), Image.Resampling.BILINEAR))).all()


def test_the_facts_survive_a_checkpoint_and_an_older_one_has_none(mnist: MNIST) -> None:
    plain = json.loads(json.dumps(mnist.spec.to_plain()))
    assert Spec.from_plain(plain) == mnist.spec
    del plain["input"]["strokes"]
    older = Spec.from_plain(plain)
    assert isinstance(older.input, Images)
    assert older.input.strokes is None
    assert isinstance(older.target, Classes)


def test_pretrained_weights_keep_the_facts(images: Images) -> None:
    larger = input_spec(images, 224, 256, (0.5,) * 3, (0.2,) * 3)
    assert larger == Images(3, 224, 224, (0.5,) * 3, (0.2,) * 3, 0, images.strokes)
    digit = WAYS["black on white"](3, 0, 0)
    photo = read(digit, larger)
    assert photo.pixels.shape == (3, 224, 224)
    assert photo.note.startswith("inverted")
    small = torch.from_numpy(photo.pixels[:1].astype(np.float32))[None]
    same = torch.nn.functional.interpolate(small, (28, 28), mode="area")[0, 0].numpy()
    assert abs(same - seen(digit, images)[0].astype(np.float32)).mean() < 8
