"""Scenes of digits: made by seed, boxes tight, the test's digits in the test alone."""

import pytest
import torch

from litmus.data.mnist_boxes import INK, MNISTBoxes, make_scenes
from litmus.errors import UserError

KEYS = {
    "dir": None,
    "source": "bundled",
    "size": 96,
    "max_digits": 4,
    "min_size": 16,
    "max_size": 40,
    "num_train": 40,
    "num_val": 10,
    "num_test": 20,
    "limit": None,
    "limit_eval": None,
    "split_seed": None,
    "batch_size": 8,
    "eval_batch_size": 8,
    "mosaic": 0.0,
    "flip": 0.0,
}


def made(seed: int = 0, **changes: object) -> MNISTBoxes:
    data = MNISTBoxes(seed, **{**KEYS, **changes})
    data.prepare_data()
    return data


def test_the_same_seed_makes_the_same_scenes_and_the_test_s_are_always_the_same() -> None:
    first, again, other = made(), made(), made(seed=1)
    for part in ("train", "val", "test"):
        for a, b in zip(first.stored(part), again.stored(part), strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(first.stored("train")[0], other.stored("train")[0])
    assert torch.equal(first.stored("test")[0], other.stored("test")[0])
    assert first.sizes == {"train": 40, "val": 10, "test": 20}


def test_each_box_is_tight_around_its_digit_s_ink() -> None:
    """Blank digits but one of a known square: what is seen is that."""
    square = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    square[..., 7:21, 9:19] = 255
    pixels, boxes = make_scenes(square, torch.tensor([3]), 50, 96, 1, (28, 28), torch.Generator().manual_seed(0))
    for picture, (box,) in zip(pixels, boxes, strict=True):
        number, x, y, width, height = (box * torch.tensor([1, 96, 96, 96, 96])).tolist()
        assert number == 3
        ys, xs = (picture[0] >= INK).nonzero().unbind(1)
        seen = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
        assert (x - width / 2, y - height / 2, x + width / 2, y + height / 2) == pytest.approx(seen, abs=1e-3)
        assert 9 <= width <= 11
        assert 13 <= height <= 15


def test_a_digit_without_ink_has_no_box() -> None:
    """Between the pixels of a picture, a thin stroke may be missed."""
    faint = torch.zeros(1, 1, 28, 28, dtype=torch.uint8)
    faint[0, 0, 14, 14] = 255
    pixels, boxes = make_scenes(faint, torch.tensor([3]), 200, 32, 1, (2, 3), torch.Generator().manual_seed(0))
    seen = (pixels >= INK).flatten(1).any(dim=1)
    assert 0 < int(seen.sum()) < 200
    assert torch.equal(boxes[:, 0, 0] >= 0, seen)


def test_boxes_lie_inside_hardly_overlap_and_vary() -> None:
    _, boxes = made(num_train=300).stored("train")
    there = boxes[..., 0] >= 0
    assert set(there.sum(dim=1).tolist()) == {1, 2, 3, 4}
    own = boxes[there]
    low, high = own[:, 1:3] - own[:, 3:] / 2, own[:, 1:3] + own[:, 3:] / 2
    assert low.min() >= -1e-6
    assert high.max() <= 1 + 1e-6
    assert float(own[:, 4].max() / own[:, 4].min()) > 1.8
    for scene in boxes:
        some = scene[scene[:, 0] >= 0]
        start, end = some[:, 1:3] - some[:, 3:] / 2, some[:, 1:3] + some[:, 3:] / 2
        area = some[:, 3:].prod(dim=1)
        shared = (torch.minimum(end[:, None], end) - torch.maximum(start[:, None], start)).clamp(min=0).prod(dim=2)
        share = shared / torch.minimum(area[:, None], area)
        assert (share.fill_diagonal_(0) <= 0.35).all()
    assert set(own[:, 0].tolist()) == set(range(10))


def test_digits_of_one_part_are_in_no_other() -> None:
    data = made()
    sets = [{image.numpy().tobytes() for image in data.digits.splits[part][0]} for part in ("train", "val", "test")]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert not sets[1] & sets[2]


def test_sizes_must_rise() -> None:
    with pytest.raises(UserError, match="must be at most"):
        made(min_size=50)
