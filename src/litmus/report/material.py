"""What a run's page is made of: its folder, and, where they are there, its data, network and test outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from litmus.config import protocols
from litmus.config.boundaries import Boundaries
from litmus.config.explanation import Explanations
from litmus.config.types import Section
from litmus.page.scenes import Scene
from litmus.record.baselines import ranked_baselines
from litmus.report.outputs import Outputs

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Tested:
    """A run's data, network and outputs.

    Attributes:
        data: prepared.
        net: with its best weights.
        outputs: of the test.
        scenes: of a detector, some validation images.
        metrics: of the run.
        forecasts: of a series, what needs no network, the best baseline among them: float64 (test samples, steps) by
            the name of the baseline, NaN where there is none.
    """

    data: protocols.Data
    net: protocols.Net
    outputs: Outputs
    scenes: Sequence[Scene] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    forecasts: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def baselines(self) -> list[tuple[str, float]]:
        """The baselines of the test by name, the best first, each with the metric that decides."""
        metrics = dict(self.metrics)
        return [
            (name, metrics[f"test/{name}_{metric.partition('/')[2]}"])
            for name, metric in ranked_baselines(metrics, "test")
        ]


@dataclass(frozen=True)
class Material:
    """What a page is made of.

    Attributes:
        folder: the run's.
        config: resolved.
        result: as result.json holds it.
        rows: of metrics.csv.
        environment: as environment.json holds it; None where there is none.
        health: as health.json holds it; None where there is none.
        command: that trains the run again; None where it cannot be typed.
        tested: None where the page is made without.
        notes: what to say of parts that the page lacks.
        commands: of what a finding says to try, the whole command.
        boundaries: as boundaries.npz holds them; None where there are none.
        requested: the configuration before anything followed from data and device; None where that is not known.
        explanations: as explanations.npz holds them; None where there are none.
    """

    folder: Path
    config: Section
    result: Section
    rows: Sequence[Section]
    environment: Section | None
    health: Section | None
    command: str | None
    tested: Tested | None = None
    notes: Sequence[str] = field(default=())
    commands: Mapping[str, str] = field(default_factory=dict)
    boundaries: Boundaries | None = None
    requested: Section | None = None
    explanations: Explanations | None = None

    @property
    def metrics(self) -> dict[str, float]:
        """Those of the best epoch and of the test that are numbers."""
        return numbers_of(self.result)


def numbers_of(result: Section) -> dict[str, float]:
    """The metrics of a result that are numbers."""
    found = (result.get("metrics") or {}).items()
    return {name: value for name, value in found if isinstance(value, int | float)}
