"""Regression: numbers."""

from typing import ClassVar, Literal, cast

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from litmus.config.protocols import Net, Split
from litmus.config.validate import checked
from litmus.spec import Values
from litmus.task._base import Batch, MakeOptimizer, MakeScheduler, Task
from litmus.task._metrics import Metrics

EXACT = torch.float32 if torch.backends.mps.is_available() else torch.float64  # Apple's GPUs have no float64


class ValueMetrics(Metrics):
    """Errors and correlation.

    Sums are of scaled values, in float64 where the device has it: values of other data than the
    training's may lie far from zero, where the correlation is a difference of large numbers.

    Args:
        std: of each value, float32 (values,), in the data's own unit.
    """

    def __init__(self, std: Tensor) -> None:
        super().__init__()
        self.std = std

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Adds a batch: scaled predictions and scaled targets, both (batch, values)."""
        x, y = outputs.to(EXACT), targets.to(EXACT)
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


class Regression(Task):
    """Mean squared error of scaled values; RMSE, MAE and Pearson's r in the data's own unit.

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
    }
    headline: ClassVar = ("loss", "rmse", "mae", "r", "skill")

    @checked
    def __init__(self, net: Net, optimizer: MakeOptimizer, scheduler: MakeScheduler, *, baselines: bool) -> None:
        super().__init__(net, optimizer, scheduler)
        self.criterion = net.criterion or _squared_error
        self.baselines = baselines

    def make_metrics(self, split: Split) -> Metrics:
        assert isinstance(self.net.spec.target, Values)
        return ValueMetrics(torch.tensor(self.net.spec.target.std))

    def step(self, batch: Batch, split: Split) -> Tensor:
        """The mean squared error of one batch; adds it to the split's metrics.

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
        cast(ValueMetrics, self.metrics(split)).update(outputs.detach(), targets)
        return loss

    def measure(self, predictions: Tensor, targets: Tensor) -> dict[str, float]:
        errors = predictions - targets
        return {"rmse": float(errors.square().mean().sqrt()), "mae": float(errors.abs().mean())}

    def skill(self, metrics: dict[str, Tensor], baselines: dict[str, dict[str, float]]) -> dict[str, Tensor | float]:
        best = {error: min(own[error] for own in baselines.values()) for error in ("rmse", "mae")}
        found = {f"skill{suffix}": error for error, suffix in (("rmse", ""), ("mae", "_mae")) if best[error] > 0}
        return {name: 1 - metrics[error] / best[error] for name, error in found.items()}


def _squared_error(outputs: Tensor, targets: Tensor, label_smoothing: float) -> Tensor:  # noqa: ARG001  # a Criterion
    return mse_loss(outputs, targets)
