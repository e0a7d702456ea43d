"""Points that a formula makes, for learning what a network can tell apart, or follow."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from litmus.config.protocols import Split
from litmus.config.types import (
    BatchSize,
    Count,
    Folds,
    NonNegative,
    Seed,
    Share,
    Whole,
)
from litmus.config.validate import checked
from litmus.data.columns.encode import Floats
from litmus.data.table import Table
from litmus.spec import Classes, Target, Values

Classed = NDArray[np.int64]
Formula = Callable[[Classed, np.random.Generator], Floats]  # the class of each point -> (points, 2)
TURNS = 1.5  # of a spiral


class Toy(Table):
    """Points x and y, each of a class, in a table: all that is said of `data=table` holds.

    `linear`: on two sides of a line, as one layer tells them apart, the perceptron among them. `xor`: in opposite
    quadrants, which no line separates (Minsky and Papert 1969). `circles`: two rings, one in the other. `moons`: two
    half-circles in each other, as scikit-learn's. `spirals`: two, wound around each other (Lang and Witbrock 1988).
    `blobs`: three heaps. Classes are equally frequent. `sine`: a value y for each x, a curve to be followed.

    `noise` is the standard deviation of a normal distribution around these shapes, which are about 2 wide; of a blob it
    is the width, and of `sine` it moves y alone. `split_seed` decides the points, too.
    """

    choice: ClassVar = "toy"
    target_kinds: ClassVar[tuple[type[Target], ...]] = (Classes, Values)
    kinds_of_values: ClassVar = ("sine",)

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        kind: Literal["xor", "moons", "circles", "spirals", "blobs", "linear", "sine"],
        samples: Count,
        noise: NonNegative,
        val_share: Share,
        test_share: Share,
        limit: Count | None,
        limit_eval: Count | None,
        split_seed: Seed | None,
        folds: Folds | None,
        fold: Whole | None,
        min_steps: Count,
        batch_size: BatchSize,
        eval_batch_size: Count,
    ) -> None:
        is_curve = kind in self.kinds_of_values
        super().__init__(
            seed,
            path=f"a formula ({kind})",
            target="y" if is_curve else "class",
            target_separator=None,
            kind="numbers" if is_curve else "classes",
            numeric=["x"] if is_curve else ["x", "y"],
            categorical=[],
            ignore=[],
            thousands=[],
            scaling="standard",
            group=None,
            time=None,
            val_path=None,
            test_path=None,
            val_share=val_share,
            test_share=test_share,
            encoding="auto",
            separator="auto",
            limit=limit,
            limit_eval=limit_eval,
            split_seed=split_seed,
            folds=folds,
            fold=fold,
            min_steps=min_steps,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
        )
        self.shape, self.samples, self.noise = kind, samples, noise

    def _read(self, split: Split, path: Path) -> pl.DataFrame:  # there is no file
        generator = np.random.default_rng(self.split_seed)
        if self.shape in self.kinds_of_values:
            x, y = sine(self.samples, generator)
            y = y + generator.normal(0, self.noise, self.samples)
            self.sha256[self.shape] = hashlib.sha256(np.stack([x, y]).tobytes()).hexdigest()
            return pl.DataFrame({"x": x, "y": y})
        formula, num_classes = FORMULAS[self.shape]
        classes = np.arange(self.samples, dtype=np.int64) % num_classes
        points = formula(classes, generator) + generator.normal(0, self.noise, (self.samples, 2))
        self.sha256[self.shape] = hashlib.sha256(points.tobytes()).hexdigest()
        return pl.DataFrame({"x": points[:, 0], "y": points[:, 1], "class": classes.astype(np.float64)})


def linear(classes: Classed, generator: np.random.Generator) -> Floats:
    """Uniform in a square, on two sides of its diagonal: x + y is above 0 for class 1."""
    points = generator.uniform(-1, 1, (len(classes), 2))
    return np.where((points.sum(axis=1) > 0) == (classes == 1), 1.0, -1.0)[:, None] * points


def xor(classes: Classed, generator: np.random.Generator) -> Floats:
    """Uniform in a square: x y is below 0 for class 1."""
    points = generator.uniform(-1, 1, (len(classes), 2))
    points[:, 0] *= np.where((points.prod(axis=1) < 0) == (classes == 1), 1.0, -1.0)
    return points


def circles(classes: Classed, generator: np.random.Generator) -> Floats:
    """Rings of radius 1, and of 0.5 for class 1."""
    return _at(np.where(classes == 1, 0.5, 1.0), generator.uniform(0, 2 * np.pi, len(classes)))


def moons(classes: Classed, generator: np.random.Generator) -> Floats:
    """Half a circle around (-0.5, -0.25), and half of one around (0.5, 0.25), upside down."""
    half = _at(np.ones(len(classes)), generator.uniform(0, np.pi, len(classes))) - [0.5, 0.25]
    return np.where((classes == 1)[:, None], -half, half)


def spirals(classes: Classed, generator: np.random.Generator) -> Floats:
    """Arms of 1.5 turns, from the center to a radius of 1; that of class 1 is turned by 180 degrees."""
    radius = np.sqrt(generator.uniform(0, 1, len(classes)))  # about as many points on each piece of an arm
    return _at(radius, 2 * np.pi * TURNS * radius + np.pi * classes)


def blobs(classes: Classed, generator: np.random.Generator) -> Floats:  # noqa: ARG001  # the noise makes the blob
    """The corners of a triangle, at a distance of 1 from the center."""
    return _at(np.ones(len(classes)), np.pi / 2 + 2 * np.pi / 3 * classes.astype(np.float64))


def sine(number: int, generator: np.random.Generator) -> tuple[Floats, Floats]:
    """X uniform in [-1, 1], and y = sin(3 pi x / 2), one and a half periods."""
    x = generator.uniform(-1, 1, number)
    return x, np.sin(1.5 * np.pi * x)


def _at(radius: Floats, angle: Floats) -> Floats:
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


FORMULAS: dict[str, tuple[Formula, int]] = {  # and the number of classes
    "linear": (linear, 2),
    "xor": (xor, 2),
    "circles": (circles, 2),
    "moons": (moons, 2),
    "spirals": (spirals, 2),
    "blobs": (blobs, 3),
}
