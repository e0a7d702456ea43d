"""Scenes of several MNIST digits each, of varied size, with tight bounding boxes."""

import logging
from typing import Literal

import torch
from torch import Generator, Tensor
from torch.nn.functional import grid_sample

from litmus.config.protocols import Split
from litmus.config.types import BatchSize, Chance, Count, Seed
from litmus.config.validate import checked
from litmus.data._preflight import check_digit_sizes
from litmus.data._split import limits
from litmus.data.image.boxes import COLUMNS, BoxData
from litmus.data.mnist import MNIST
from litmus.spec import Boxes, Images, Spec

log = logging.getLogger(__name__)

INK = 64  # of 255: the least gray level of a digit's pixels
MAX_OVERLAP = 0.1  # fraction of a digit's square that another's may cover
NUM_ATTEMPTS = 40  # random positions for a digit; one that fits in none is left out
CHUNK = 256  # scenes made at a time
VAL_DIGITS = 5000  # of the training digits, used in validation scenes only
SEEDS = {"train": 0, "val": 1, "test": 2}  # of the scenes; to all but the test's, the split's is added


class MNISTBoxes(BoxData):
    """Scenes with one to `max_digits` digits, each `min_size` to `max_size` pixels high, generated in memory.

    Training scenes consist of MNIST's training digits, validation scenes of its validation digits, and test scenes
    of its test digits; the test scenes are always the same. Digits hardly overlap; a box is the smallest
    that contains all of a digit's ink.
    """

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        dir: str | None,
        source: Literal["auto", "disk", "official", "npm", "bundled"],
        size: Count,
        max_digits: Count,
        min_size: Count,
        max_size: Count,
        num_train: Count,
        num_val: Count,
        num_test: Count,
        limit: Count | None,
        limit_eval: Count | None,
        split_seed: Seed | None,
        batch_size: BatchSize,
        eval_batch_size: Count,
        mosaic: Chance,
        flip: Chance,
    ) -> None:
        super().__init__(seed, batch_size, eval_batch_size, mosaic, flip)
        check_digit_sizes(min_size, max_size, size)
        self.digits = MNIST(
            seed,
            dir=dir,
            source=source,
            val_size=VAL_DIGITS,
            limit=None,
            limit_eval=None,
            split_seed=split_seed,
            folds=None,
            fold=None,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            augment="none",
            flip=0.0,
        )
        self.size = size
        self.max_digits = max_digits
        self.digit_sizes = (min_size, max_size)
        self.numbers: dict[Split, int] = {"train": num_train, "val": num_val, "test": num_test}
        self.limits = limits(limit, limit_eval)
        self.scenes: dict[Split, tuple[Tensor, Tensor]] = {}

    def preload(self) -> None:
        """See `MNIST.preload`."""
        self.digits.preload()

    def prepare_data(self) -> None:
        """Finds the digits, as `data=mnist` does, and generates the scenes.

        Raises:
            UserError: no source has the digits.
        """
        if self.scenes:
            return
        self.digits.prepare_data()
        self.source, self.sha256, self.warning = self.digits.source, self.digits.sha256, self.digits.warning
        self.scenes = {split: self._generate(split) for split in self.numbers}
        facts = Images(1, self.size, self.size, (), ())
        self.spec = Spec("mnist_boxes", facts, Boxes(tuple("0123456789")))

    @property
    def sizes(self) -> dict[Split, int]:
        return {split: len(pixels) for split, (pixels, _) in self.scenes.items()}

    def stored(self, split: Split) -> tuple[Tensor, Tensor]:
        return self.scenes[split]

    @property
    def seen(self) -> Tensor:
        """Of the digits that the scenes consist of."""
        return self.digits.seen

    def leave_out(self, seen: Tensor) -> None:
        """Makes the test scenes without test digits that are among `seen`."""
        num_digits = self.digits.sizes["test"]
        self.digits.leave_out(seen)
        if self.digits.sizes["test"] < num_digits:
            self.scenes["test"] = self._generate("test")

    def _generate(self, split: Split) -> tuple[Tensor, Tensor]:
        number = min(self.numbers[split], self.limits[split] or self.numbers[split])
        generator = Generator().manual_seed(SEEDS[split] + (0 if split == "test" else 3 * self.digits.split_seed))
        images, labels = self.digits.splits[split]
        pixels = torch.zeros(number, 1, self.size, self.size, dtype=torch.uint8)
        boxes = torch.full((number, self.max_digits, COLUMNS), -1.0)
        for start in range(0, number, CHUNK):
            some = slice(start, min(start + CHUNK, number))
            pixels[some], boxes[some] = make_scenes(
                images, labels, some.stop - start, self.size, self.max_digits, self.digit_sizes, generator
            )
        return pixels, boxes


def make_scenes(
    images: Tensor,
    labels: Tensor,
    number: int,
    size: int,
    max_digits: int,
    digit_sizes: tuple[int, int],
    generator: Generator,
) -> tuple[Tensor, Tensor]:
    """Generates scenes, all at once.

    Args:
        images: uint8 (digits, 1, 28, 28).
        labels: int64 (digits,).
        number: of scenes.
        size: side of a scene, in pixels.
        max_digits: in a scene; their number is drawn uniformly from 1 to that.
        digit_sizes: minimum and maximum side of a digit's square, in pixels; drawn uniformly.
        generator: the same state makes the same scenes.

    Returns:
        uint8 (number, 1, size, size), and float32 (number, max_digits, 5), see `spec.Boxes`.
    """
    count = torch.randint(1, max_digits + 1, (number,), generator=generator)
    which = torch.randint(len(labels), (number, max_digits), generator=generator)
    least, greatest = digit_sizes
    side = least + (greatest - least) * torch.rand(number, max_digits, generator=generator)
    corner, letterbox_geometry = _places(side, size, count, generator)
    tile = greatest + 2  # side in pixels of the tile in which a digit is drawn, from any fraction of a pixel on
    canvas = torch.zeros(number, size + tile, size + tile)
    boxes = torch.full((number, max_digits, COLUMNS), -1.0)
    for slot in range(max_digits):
        own = letterbox_geometry[:, slot].nonzero().flatten()
        start = corner[own, slot].floor()
        drawn = _draw(images[which[own, slot]].float(), side[own, slot], corner[own, slot] - start, tile).round()
        inked = (drawn >= INK).flatten(1).any(dim=1)  # a very small digit may have missed every pixel
        own, start, drawn = own[inked], start[inked], drawn[inked]
        x, y = (start[:, axis].long()[:, None] + torch.arange(tile) for axis in (0, 1))
        place = (own[:, None, None], y[:, :, None], x[:, None, :])
        canvas[place] = torch.maximum(canvas[place], drawn)
        boxes[own, slot, 0] = labels[which[own, slot]].float()
        left, top, width, height = _tight_box(drawn >= INK).unbind(1)
        center = start + torch.stack([left + width / 2, top + height / 2], dim=1)
        boxes[own, slot, 1:] = torch.cat([center, width[:, None], height[:, None]], dim=1) / size
    order = torch.argsort((boxes[..., 0] < 0).int(), dim=1, stable=True)
    pixels = canvas[:, None, :size, :size].to(torch.uint8)
    return pixels, boxes.gather(1, order[..., None].expand(-1, -1, COLUMNS))


def _places(side: Tensor, size: int, count: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Top left corners of squares that hardly overlap, (scenes, slots, 2); which were placed, bool (scenes, slots)."""
    number, slots = side.shape
    corner = torch.zeros(number, slots, 2)
    letterbox_geometry = torch.zeros(number, slots, dtype=torch.bool)
    for slot in range(slots):
        own = side[:, slot]
        tried = torch.rand(number, NUM_ATTEMPTS, 2, generator=generator) * (size - own)[:, None, None]
        free = torch.ones(number, NUM_ATTEMPTS, dtype=torch.bool)
        for before in range(slot):
            other, other_corner = side[:, before, None], corner[:, before, None]
            low = torch.maximum(tried, other_corner)
            high = torch.minimum(tried + own[:, None, None], other_corner + other[..., None])
            overlap = (high - low).clamp(min=0).prod(dim=2)
            smaller = torch.minimum(own, side[:, before]).square()[:, None]
            free &= (overlap <= MAX_OVERLAP * smaller) | ~letterbox_geometry[:, before, None]
        first = free.int().argmax(dim=1)
        corner[:, slot] = tried[torch.arange(number), first]
        letterbox_geometry[:, slot] = free.any(dim=1) & (slot < count)
    return corner, letterbox_geometry


def _draw(digits: Tensor, side: Tensor, corner: Tensor, tile: int) -> Tensor:
    """Each digit, resized to its square, on a tile of its own: float (digits, tile, tile)."""
    pixel = torch.arange(tile) + 0.5
    # grid_sample's coordinates run from -1 to 1 over the digit.
    x, y = (2 * (pixel - corner[:, axis, None]) / side[:, None] - 1 for axis in (0, 1))
    grid = torch.stack([x[:, None, :].expand(-1, tile, -1), y[:, :, None].expand(-1, -1, tile)], dim=3)
    return grid_sample(digits, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[:, 0]


def _tight_box(ink: Tensor) -> Tensor:
    """From bool (digits, tile, tile) to float (digits, 4): left, top, width and height, in pixels."""
    edges = []
    for dim in (1, 2):  # reducing rows shows which columns have ink, and the other way round
        inked = ink.any(dim=dim).int()
        edges.append((inked.argmax(dim=1), inked.shape[1] - inked.flip(1).argmax(dim=1)))
    (left, right), (top, bottom) = edges
    return torch.stack([left, top, right - left, bottom - top], dim=1).float()
