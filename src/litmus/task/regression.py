"""Regression: numbers."""

from collections.abc import Callable, Sequence
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from litmus.config.protocols import Net, Split
from litmus.config.types import NonNegative
from litmus.config.validate import checked
from litmus.spec import Series, Values
from litmus.task._base import Batch, MakeOptimizer, MakeScheduler, Task
from litmus.task._metrics import Metrics, all_gather

MOST_ERRORS = 1000  # of each value that are kept
EXACT = torch.float32 if torch.backends.mps.is_available() else torch.float64  # Apple's GPUs have no float64


class ValueMetrics(Metrics):
    """Errors and correlation.

    Sums are of scaled values, in float64 where the device has it: values of other data than the
    training's may lie far from zero, where the correlation is a difference of large numbers.

    Args:
        std: of each value, float32 (values,), in the data's own unit.
        keep: gets the absolute errors of a whole split, as `litmus.model._base.Net.errors` holds them; None keeps none.
    """

    def __init__(self, std: Tensor, keep: Callable[[Tensor], None] | None) -> None:
        super().__init__()
        self.std = self.unit = std
        self.keep = keep
        self.errors: list[Tensor] = []

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Adds a batch: scaled predictions and scaled targets, both (batch, values)."""
        x, y = outputs.to(EXACT), targets.to(EXACT)
        if self.keep is not None:
            self.errors.append((x - y).abs())
        terms = {
            "squared": (x - y).square(),
            "absolute": (x - y).abs(),
            "x": x,
            "y": y,
            "xx": x * x,
            "yy": y * y,
            "xy": x * y,
        }
        self.add(len(y), **{name: term.sum(dim=0) for name, term in terms.items()})

    def from_sums(self, sums: dict[str, Tensor], num_samples: int) -> dict[str, Tensor]:
        """`loss`, `rmse`, `mae` and `r`.

        `loss` is the mean squared error of scaled values; `rmse` and `mae` are in the data's own unit,
        over all values; `r` is Pearson's correlation, the mean over values, 0 where one side is constant.
        """
        std, n = self.std.to(sums["x"].device), num_samples
        covariance = sums["xy"] / n - (sums["x"] / n) * (sums["y"] / n)
        variances = (sums["xx"] / n - (sums["x"] / n) ** 2) * (sums["yy"] / n - (sums["y"] / n) ** 2)
        r = torch.where(variances > 1e-12, covariance / variances.clamp(min=1e-12).sqrt(), 0.0)
        return {
            "loss": (sums["squared"] / n).mean().float(),
            "rmse": (sums["squared"] / n * std**2).mean().sqrt().float(),
            "mae": (sums["absolute"] / n * std).mean().float(),
            "r": r.mean().float(),
        }

    def compute(self) -> dict[str, Tensor]:
        if self.keep is not None:
            own = torch.cat(self.errors).cpu().double() if self.errors else torch.zeros(0, len(self.std))
            everywhere = torch.cat([each for each in all_gather(own) if len(each)] or [own])
            if len(everywhere):
                self.keep(_some_of(everywhere.sort(dim=0).values) * self.unit.cpu().double())
        return super().compute()

    def reset(self) -> None:
        super().reset()
        self.errors = []


class ColumnMetrics(ValueMetrics):
    """Of several targets: `rmse` and `mae` are of scaled values, `rmse_NAME` is in the unit of one.

    Args:
        std: as of `ValueMetrics`.
        names: of the targets.
        keep: as of `ValueMetrics`.
    """

    def __init__(self, std: Tensor, names: Sequence[str], keep: Callable[[Tensor], None] | None) -> None:
        super().__init__(torch.ones_like(std), keep)
        self.unit, self.names = std, names

    def from_sums(self, sums: dict[str, Tensor], num_samples: int) -> dict[str, Tensor]:
        """As of `ValueMetrics`, of scaled values; and `rmse_NAME` and `mae_NAME` of each target."""
        return super().from_sums(sums, num_samples) | _of_each(self.names, sums, num_samples, self.unit)


class ForecastMetrics(ValueMetrics):
    """Also, what is wrong at each step of a horizon.

    Args:
        std: as of `ValueMetrics`.
        each_step: whether `rmse_step3` and `mae_step3` stand beside the metrics of all steps.
        keep: as of `ValueMetrics`.
    """

    def __init__(self, std: Tensor, each_step: bool, keep: Callable[[Tensor], None] | None) -> None:
        super().__init__(std, keep)
        self.each_step = each_step

    def compare(self, outputs: Tensor, untrained: Tensor, targets: Tensor) -> None:
        """Adds a batch's errors and those of the network before its training; before `update`, which counts samples."""
        own, before = (
            (each.to(EXACT) - targets.to(EXACT)).square().mean(dim=1) for each in (outputs.detach(), untrained)
        )
        self.add(0, own=own.sum(), own_squared=own.square().sum(), untrained=before.sum())

    def from_sums(self, sums: dict[str, Tensor], num_samples: int) -> dict[str, Tensor]:
        found = super().from_sums(sums, num_samples)
        if "untrained" in sums:
            found["gain"] = self._gain(sums, num_samples)
        if self.each_step and len(self.std) > 1:
            steps = [f"step{step}" for step in range(1, len(self.std) + 1)]
            found |= _of_each(steps, sums, num_samples, self.std)
        return found

    def _gain(self, sums: dict[str, Tensor], num_samples: int) -> Tensor:
        """By how many standard errors the loss is below that of the network before its training.

        Windows whose horizons overlap share what is hard to forecast: as many count as there are horizons side by side.
        """
        loss = sums["own"] / num_samples
        variance = (sums["own_squared"] / num_samples - loss**2).clamp(min=0.0)
        error = (variance * len(self.std) / max(num_samples - 1, 1)).sqrt()
        return ((sums["untrained"] / num_samples - loss) / error.clamp(min=1e-12)).float()


def _of_each(names: Sequence[str], sums: dict[str, Tensor], num_samples: int, std: Tensor) -> dict[str, Tensor]:
    """`rmse_NAME` and `mae_NAME` of each value, in its unit."""
    std = std.to(sums["x"].device)
    rmse, mae = (sums["squared"] / num_samples).sqrt() * std, sums["absolute"] / num_samples * std
    found: dict[str, Tensor] = {}
    for name, own, absolute in zip(names, rmse.float(), mae.float(), strict=True):
        found |= {f"rmse_{name}": own, f"mae_{name}": absolute}
    return found


def _some_of(ordered: Tensor) -> Tensor:
    """At most `MOST_ERRORS` of many sorted rows, evenly: each the highest of those that it stands for."""
    number = min(len(ordered), MOST_ERRORS)
    return ordered[torch.arange(1, number + 1) * len(ordered) // number - 1]


class Regression(Task):
    """Mean squared error of scaled values; RMSE, MAE and Pearson's r in the data's own unit.

    Several targets (not the steps of a forecast, which have one unit) are scaled by their training deviation for RMSE
    and MAE, so that each counts alike: `rmse` is the root of the mean of all squared errors, each divided by the
    target's training variance. `rmse_NAME` and `mae_NAME` are a target's errors in its unit. `gain` is by how many
    standard errors a forecaster's validation loss is below that before its training: see `record.metrics.GAIN`.

    Beside them stand the errors of baselines, unless `baselines` is false. `skill` and `skill_mae` say by what fraction
    the network's RMSE and MAE are lower than the lowest of a baseline: 1 - rmse / rmse of the best.
    """

    monitor: ClassVar = "val/rmse"
    mode: ClassVar[Literal["min", "max"]] = "min"
    metric_names: ClassVar = {
        "loss": "min",
        "rmse": "min",
        "mae": "min",
        "r": "max",
        "skill": "max",
        "skill_mae": "max",
        "gain": "max",
    }
    headline: ClassVar = ("loss", "rmse", "mae", "r", "skill")

    @checked
    def __init__(
        self,
        net: Net,
        optimizer: MakeOptimizer,
        scheduler: MakeScheduler,
        *,
        baselines: bool,
        min_gain: NonNegative | None,
    ) -> None:
        super().__init__(net, optimizer, scheduler)
        self.criterion = net.criterion or _squared_error
        self.baselines = baselines
        self.min_gain = None if net.untrained is None else min_gain

    def make_metrics(self, split: Split) -> Metrics:
        assert isinstance(self.net.spec.target, Values)
        std, keep = torch.tensor(self.net.spec.target.std), self._keep_errors if split == "val" else None
        if self._columns:
            return ColumnMetrics(std, self._columns, keep)
        if not isinstance(self.net.spec.input, Series):
            return ValueMetrics(std, keep)
        return ForecastMetrics(std, each_step=split == "test", keep=keep)

    @property
    def _columns(self) -> tuple[str, ...]:
        """The names of several targets, each of its own unit; empty for one, and for the steps of a forecast."""
        names = self.net.spec.target.names
        return names if len(names) > 1 and not isinstance(self.net.spec.input, Series) else ()

    def _keep_errors(self, errors: Tensor) -> None:
        """For intervals: every validation measures them, and its checkpoint stores them."""
        self.net.errors = errors

    def step(self, batch: Batch, split: Split) -> Tensor:
        """The mean squared error of one batch; adds it to the split's metrics.

        Observers get outputs and targets as the network has them: standardized float32 (batch, values).

        Raises:
            ValueError: outputs and targets differ in shape, which broadcasting would hide.
        """
        inputs, targets = batch
        outputs = self.net(inputs)
        if outputs.shape != targets.shape:
            raise ValueError(
                f"The network's outputs have the shape {tuple(outputs.shape)}, the targets {tuple(targets.shape)}."
            )
        loss = self.criterion(outputs.float(), targets, 0.0)
        metrics = cast(ValueMetrics, self.metrics(split))
        if split == "val" and self.min_gain is not None and self.net.untrained is not None:
            assert isinstance(metrics, ForecastMetrics)
            metrics.compare(outputs, self.net.untrained(inputs), targets)
        metrics.update(outputs.detach(), targets)
        self.observe(split, outputs.detach(), targets)
        return loss

    def measure(self, predictions: Tensor, targets: Tensor) -> dict[str, float]:
        assert isinstance(self.net.spec.target, Values)
        errors = predictions - targets
        each = {name: _measured(errors[:, i]) for i, name in enumerate(self._columns)}
        pooled = errors / torch.tensor(self.net.spec.target.std, dtype=errors.dtype) if each else errors
        named = {f"{metric}_{name}": value for name, own in each.items() for metric, value in own.items()}
        return {**_measured(pooled), **named}

    def skill(self, metrics: dict[str, Tensor], baselines: dict[str, dict[str, float]]) -> dict[str, Tensor | float]:
        best = {error: min(own[error] for own in baselines.values()) for error in ("rmse", "mae")}
        found = {f"skill{suffix}": error for error, suffix in (("rmse", ""), ("mae", "_mae")) if best[error] > 0}
        return {name: 1 - metrics[error] / best[error] for name, error in found.items()}


def _measured(errors: Tensor) -> dict[str, float]:
    return {"rmse": float(errors.square().mean().sqrt()), "mae": float(errors.abs().mean())}


def _squared_error(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:  # noqa: ARG001  # a Criterion
    return mse_loss(outputs, targets)
