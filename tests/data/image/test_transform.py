import math

import pytest
import torch
from torch import Generator

from litmus.data.image import transform
from litmus.data.image.transform import Normalize, flipping, mean_and_std, random_affine, random_resized_crop
from litmus.spec import Images

FACTS = Images(1, 28, 28, (0.13,), (0.31,))
SIZE = (28, 28)
CPU = torch.device("cpu")


def test_normalised_values() -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(3, 1, 1, 1)
    got = Normalize(Images(1, 1, 1, (0.13,), (0.31,)), None, CPU)(
        pixels, Generator(), len(pixels), slice(None)
    ).flatten()
    expected = [(v - 0.13) / 0.31 for v in (0.0, 0.2, 1.0)]
    assert got.tolist() == pytest.approx(expected, abs=1e-5)


def digit() -> torch.Tensor:
    image = torch.zeros(1, 1, 28, 28)
    image[..., 10:18, 12:16] = 255
    return image


def test_augmentation_is_reproducible_and_differs_within_a_batch() -> None:
    batch = digit().repeat(64, 1, 1, 1)
    a, b = (random_affine(batch, Generator().manual_seed(3), len(batch), slice(None), SIZE) for _ in range(2))
    assert torch.equal(a, b)
    assert not torch.equal(a[0], a[1])
    assert not torch.equal(a, random_affine(batch, Generator().manual_seed(4), len(batch), slice(None), SIZE))


def test_augmentation_keeps_shape_range_and_roughly_the_ink() -> None:
    batch = digit().repeat(256, 1, 1, 1)
    got = random_affine(batch, Generator().manual_seed(0), len(batch), slice(None), SIZE)
    assert got.shape == batch.shape
    assert got.min() >= 0
    assert got.max() <= 255 * (1 + 1e-6)
    share = got.sum(dim=(1, 2, 3)) / batch[0].sum()
    assert share.min() > (1 - transform.MAX_SCALE) ** 2 * 0.95
    assert share.max() < (1 + transform.MAX_SCALE) ** 2 * 1.05


def moments(image: torch.Tensor) -> tuple[float, float, float]:
    """The centre (x, y) of the ink, and its angle in degrees."""
    y, x = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    w = image / image.sum()
    cx, cy = (w * x).sum(), (w * y).sum()
    xx, yy, xy = (w * (x - cx) ** 2).sum(), (w * (y - cy) ** 2).sum(), (w * (x - cx) * (y - cy)).sum()
    return float(cx), float(cy), math.degrees(0.5 * math.atan2(2 * xy, yy - xx))


def test_moves_stay_within_what_is_said_and_reach_most_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    batch = digit().repeat(512, 1, 1, 1)
    x0, _, _ = moments(batch[0, 0])
    seen = [
        moments(image[0]) for image in random_affine(batch, Generator().manual_seed(0), len(batch), slice(None), SIZE)
    ]
    dx = max(abs(x - x0) for x, _, _ in seen)
    # Scaling moves the shift along: at most (1 + SCALE) times as far; turning is about the middle.
    assert 0.8 * 28 * transform.MAX_SHIFT < dx < 28 * transform.MAX_SHIFT * (1 + transform.MAX_SCALE) * 1.3
    angles = [abs(a) for _, _, a in seen]
    assert 0.9 * transform.MAX_ROTATION_DEGREES < max(angles) < 1.1 * transform.MAX_ROTATION_DEGREES


def test_only_training_is_augmented() -> None:
    pixels = digit().to(torch.uint8)
    plain = Normalize(FACTS, None, CPU)(pixels, Generator().manual_seed(0), len(pixels), slice(None))
    assert torch.equal(plain, Normalize(FACTS, None, CPU)(pixels, Generator().manual_seed(1), len(pixels), slice(None)))
    assert not torch.equal(
        plain, Normalize(FACTS, random_affine, CPU)(pixels, Generator().manual_seed(0), len(pixels), slice(None))
    )


def test_a_process_s_share_is_moved_as_in_the_whole_batch() -> None:
    batch = torch.rand(6, 1, 28, 28)
    whole = random_affine(batch, Generator().manual_seed(0), 6, slice(None), SIZE)
    share = random_affine(batch[4:], Generator().manual_seed(0), 6, slice(4, 6), SIZE)
    assert torch.equal(whole[4:], share)


def test_pictures_of_another_size_and_colour_are_made_to_fit() -> None:
    pixels = torch.arange(0, 256, 4, dtype=torch.uint8).reshape(1, 1, 8, 8)
    wanted = Images(3, 16, 16, (0.0, 0.5, 1.0), (1.0, 1.0, 0.5))
    got = Normalize(wanted, None, CPU)(pixels, Generator(), 1, slice(None))
    assert got.shape == (1, 3, 16, 16)
    assert torch.allclose(got[:, 1], got[:, 0] - 0.5, atol=1e-6)
    assert torch.allclose(got[:, 2], 2 * (got[:, 0] - 1), atol=1e-6)
    assert float(got[:, 0].mean()) == pytest.approx(float(pixels.float().mean() / 255), abs=1e-3)


def test_recut_mirrors_half_and_shows_a_part() -> None:
    ramp = torch.arange(40.0).expand(512, 1, 40, 40)  # brighter to the right
    got = random_resized_crop(ramp, Generator().manual_seed(0), 512, slice(None), (32, 32), flip=0.5)
    assert got.shape == (512, 1, 32, 32)
    spans = got[:, 0, 16, -1] - got[:, 0, 16, 0]
    assert 0.4 < float((spans < 0).float().mean()) < 0.6
    shares = spans.abs() / 40 * 32 / 31  # of the width
    assert float(shares.min()) == pytest.approx(transform.MIN_AREA**0.5, abs=0.02)
    assert float(shares.max()) == pytest.approx(1.0, abs=0.03)
    share = random_resized_crop(ramp[4:6], Generator().manual_seed(0), 512, slice(4, 6), (32, 32), flip=0.5)
    assert torch.equal(share, got[4:6])
    unflipped = random_resized_crop(ramp, Generator().manual_seed(0), 512, slice(None), (32, 32), flip=0.0)
    assert (unflipped[:, 0, 16, -1] > unflipped[:, 0, 16, 0]).all()
    assert torch.allclose(unflipped[spans > 0], got[spans > 0]), "the crops are the same"


@pytest.mark.parametrize("flip", [0.25, 1.0])
def test_flipping_is_apart_from_other_augmentations(flip: float) -> None:
    assert flipping(0.0, None) is None
    assert flipping(0.0, random_affine) is random_affine, "a training without flips draws what it drew"
    ramp = torch.arange(40.0).expand(512, 1, 40, 40)
    flipped = flipping(flip, None)
    assert flipped is not None
    got = flipped(ramp, Generator().manual_seed(0), 512, slice(None), (40, 40))
    mirrored = got[:, 0, 0, 0] == 39
    assert float(mirrored.float().mean()) == pytest.approx(flip, abs=0.06)
    assert torch.equal(got[mirrored], ramp[mirrored].flip(3))
    assert torch.equal(got[~mirrored], ramp[~mirrored])
    assert torch.equal(flipped(ramp[4:6], Generator().manual_seed(0), 512, slice(4, 6), (40, 40)), got[4:6])
    both = flipping(1.0, lambda images, *_: images + 1)
    assert torch.equal(both(ramp, Generator(), 512, slice(None), (40, 40)), ramp.flip(3) + 1)


def test_mean_and_std_per_channel() -> None:
    pixels = torch.randint(0, 256, (9, 3, 5, 4), dtype=torch.uint8, generator=Generator().manual_seed(0))
    mean, std = mean_and_std(pixels, torch.tensor([0, 2, 5]))
    expected = pixels[[0, 2, 5]].double() / 255
    assert mean == pytest.approx(expected.mean(dim=(0, 2, 3)).tolist(), abs=1e-9)
    assert std == pytest.approx(expected.std(dim=(0, 2, 3), correction=0).tolist(), abs=1e-9)
