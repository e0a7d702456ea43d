"""Boxes move with their pictures."""

import pytest
import torch
from torch import Generator, Tensor

from litmus.data._loader import Batching, as_stored
from litmus.data.image.boxes import BoxLoader, horizontal_flip, mosaic, pad_boxes

NONE = [-1.0] * 5


def scene(*boxes: tuple[int, int, int, int], size: int = 32) -> tuple[Tensor, Tensor]:
    """A picture with white rectangles (left, top, right, bottom) in pixels, and their boxes."""
    picture = torch.zeros(1, size, size)
    made = []
    for number, (left, top, right, bottom) in enumerate(boxes):
        picture[:, top:bottom, left:right] = 255
        made.append(
            [number, (left + right) / 2 / size, (top + bottom) / 2 / size, (right - left) / size, (bottom - top) / size]
        )
    return picture, torch.tensor(made)


def ink(picture: Tensor, threshold: float = 127) -> tuple[int, int, int, int]:
    ys, xs = (picture[0] > threshold).nonzero().unbind(1)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def corners(box: Tensor, size: int = 32) -> list[float]:
    _, x, y, width, height = (box * torch.tensor([1, size, size, size, size])).tolist()
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def test_mirrored_boxes_lie_around_the_mirrored_ink() -> None:
    picture, boxes = scene((3, 5, 10, 20))
    both = torch.stack([picture, picture])
    images, turned = horizontal_flip(both, pad_boxes([boxes, boxes]), torch.tensor([True, False]))
    assert ink(images[0]) == (22, 5, 29, 20)
    assert corners(turned[0, 0]) == pytest.approx([22, 5, 29, 20])
    assert torch.equal(images[1], picture)
    assert torch.equal(turned[1], boxes)


@pytest.mark.parametrize("window", [(1.0, 0.0, 0.0), (0.0, 0.5, 0.5), (0.4, 0.9, 0.1), (0.7, 0.2, 0.8)])
def test_a_mosaic_s_boxes_lie_around_its_ink(window: tuple[float, float, float]) -> None:
    """One rectangle, in the third of four pictures; the others are empty."""
    size = 64
    picture, boxes = scene((20, 4, 44, 30), size=size)
    empty = torch.zeros_like(picture)
    four = torch.stack([empty, empty, picture, empty])[None]
    targets = pad_boxes([torch.zeros(0, 5), torch.zeros(0, 5), boxes, torch.zeros(0, 5)])[None]
    seen, moved = mosaic(four, targets, torch.tensor([window]))
    assert seen.shape == (1, 1, size, size)
    kept = moved[0][moved[0][:, 0] >= 0]
    if len(kept):
        assert corners(kept[0], size) == pytest.approx(ink(seen[0]), abs=1.01)
    else:
        assert (seen > 127).float().mean() < 0.02


def test_a_mosaic_of_everything_keeps_every_box() -> None:
    picture, boxes = scene((2, 2, 10, 10), (20, 20, 30, 28))
    four = picture.expand(3, 4, 1, 32, 32)
    _, moved = mosaic(four, boxes.expand(3, 4, 2, 5), torch.tensor([[1.0, 0.0, 0.0]] * 3))
    assert (moved[..., 0] >= 0).sum(dim=1).tolist() == [8, 8, 8]
    assert torch.allclose(moved[0, 0], torch.tensor([0.0, 6 / 64, 6 / 64, 8 / 64, 8 / 64]))


def test_what_is_hardly_seen_is_left_out() -> None:
    picture, boxes = scene((0, 0, 10, 10))
    four = picture.expand(1, 4, 1, 32, 32)
    # A window as large as one picture, in the middle: a quarter of each, one upper left corner among them.
    _, moved = mosaic(four, boxes.expand(1, 4, 1, 5), torch.tensor([[0.0, 0.5, 0.5]]))
    kept = moved[0][moved[0][:, 0] >= 0]
    assert len(kept) == 1
    assert corners(kept[0]) == pytest.approx([16, 16, 26, 26])


def loader(world_size: int = 1, rank: int = 0, **changes: float) -> BoxLoader:
    generator = Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (20, 1, 16, 16), dtype=torch.uint8, generator=generator)
    boxes = torch.rand(20, 3, 5, generator=generator) * 0.3 + 0.3
    boxes[..., 0] = torch.arange(3)
    batching = Batching(batch_size=8, seed=1, shuffle=True, epoch=lambda: 0, rank=rank, world_size=world_size)
    return BoxLoader(pixels, boxes, as_stored, batching, **{"mosaic": 0.5, "flip": 0.5, **changes})


def test_the_same_seed_moves_the_same_and_shards_see_their_part() -> None:
    whole = list(loader())
    for (images, boxes), (again, again_boxes) in zip(whole, loader(), strict=True):
        assert torch.equal(images, again)
        assert torch.equal(boxes, again_boxes)
    for rank in (0, 1):
        for (images, boxes), (own, own_boxes) in zip(whole, loader(world_size=2, rank=rank), strict=True):
            half = len(images) // 2
            share = slice(rank * half, (rank + 1) * half)
            assert torch.equal(images[share], own)
            seen, expected = (b[b[..., 0] >= 0] for b in (own_boxes, boxes[share]))
            assert torch.equal(seen, expected)


def test_a_loader_that_was_interrupted_goes_on_the_same() -> None:
    first = loader()
    batches = iter(first)
    next(batches)
    state = first.state_dict()
    rest = list(batches)
    resumed = loader()
    resumed.load_state_dict(state)
    for (images, boxes), (again, again_boxes) in zip(rest, resumed, strict=True):
        assert torch.equal(images, again)
        assert torch.equal(boxes, again_boxes)


def test_nothing_moves_unless_it_is_asked_for() -> None:
    plain = loader(mosaic=0.0, flip=0.0)
    images, boxes = next(iter(plain))
    assert images.dtype == torch.uint8
    assert (boxes[..., 0] >= 0).all()


def test_rows_are_filled_up_with_none() -> None:
    made = pad_boxes([torch.zeros(0, 5), torch.ones(2, 5)])
    assert made.shape == (2, 2, 5)
    assert made[0].tolist() == [NONE, NONE]
