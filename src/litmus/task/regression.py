"""Predicting numbers."""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torchmetrics import Metric

from litmus.config.protocols import Split
from litmus.config.validate import checked
from litmus.task._base import MakeOptimizer, MakeScheduler, Task

EXACT = torch.float32 if torch.backends.mps.is_available() else torch.float64  # Apple's GPUs have no float64


class Metrics(Metric):
    """Errors and correlation, exact over batches of different sizes and over processes.

    Sums are of scaled values, in float64 where the device has it: values of other data than the
    training's may lie far from zero, where the correlation is a difference of large numbers.
    """

    full_state_update = False

    def __init__(self, std: Tensor) -> None:
        super().__init__()
        size = len(std)
        self.register_buffer("std", std, persistent=False)
        self.std: Tensor
        self.squared: Tensor
        self.absolute: Tensor
        self.x: Tensor
        self.y: Tensor
        self.xx: Tensor
        self.yy: Tensor
        self.xy: Tensor
        self.add_state("num_samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.num_samples: Tensor
        for name in ("squared", "absolute", "x", "y", "xx", "yy", "xy"):
            self.add_state(name, torch.zeros(size, dtype=EXACT), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Adds a batch: scaled answers and scaled targets, both (batch, values)."""
        x, y = outputs.to(EXACT), targets.to(EXACT)
        self.num_samples += len(y)
        sums = {
            "squared": (x - y).square(),
            "absolute": (x - y).abs(),
            "x": x,
            "y": y,
            "xx": x * x,
            "yy": y * y,
            "xy": x * y,
        }
        for name, values in sums.items():
            setattr(self, name, getattr(self, name) + values.sum(dim=0))

    def local(self) -> dict[str, Tensor]:
        """Of this process alone.

        `loss` is the mean squared error of scaled values; `rmse` and `mae` are in the data's own unit,
        over all values; `r` is Pearson's correlation, the mean over values, 0 where one side is constant.
        """
        n = self.num_samples.clamp(min=1)
        covariance = self.xy / n - (self.x / n) * (self.y / n)
        variances = (self.xx / n - (self.x / n) ** 2) * (self.yy / n - (self.y / n) ** 2)
        r = torch.where(variances > 1e-12, covariance / variances.clamp(min=1e-12).sqrt(), 0.0)
        return {
            "loss": (self.squared / n).mean().float(),
            "rmse": (self.squared / n * self.std**2).mean().sqrt().float(),
            "mae": (self.absolute / n * self.std).mean().float(),
            "r": r.mean().float(),
        }

    def compute(self) -> dict[str, Tensor]:
        """As `local`, over all processes."""
        return self.local()


class Regression(Task):
    """Mean squared error of scaled values; RMSE, MAE and Pearson's r in the data's own unit.

    Where the data knows naive forecasts, their errors are shown beside the network's, and `skill` and
    `skill_mae` say by what part the network's RMSE and MAE are lower than the better one's.
    """

    monitor: ClassVar = "val/rmse"
    mode: ClassVar[Literal["min", "max"]] = "min"
    metric_names: ClassVar = ("loss", "rmse", "mae", "r", "skill", "skill_mae")
    headline: ClassVar = ("loss", "rmse", "mae", "r", "skill")

    @checked
    def __init__(self, net: nn.Module, optimizer: MakeOptimizer, scheduler: MakeScheduler) -> None:
        super().__init__(net, optimizer, scheduler)

    def make_metrics(self, part: Split) -> Metric:
        target: Any = self.net.spec.target  # type: ignore[union-attr]
        return Metrics(torch.tensor(target.std))

    def step(self, batch: Any, part: Split) -> Tensor:
        inputs, targets = batch
        outputs = self.net(inputs)
        if outputs.shape != targets.shape:
            raise ValueError(
                f"The network answers with {tuple(outputs.shape)}, the targets are {tuple(targets.shape)}."
            )
        loss = mse_loss(outputs.float(), targets)
        self.metrics(part).update(outputs.detach(), targets)
        return loss

    def measured(self, part: Split, scores: dict[str, Tensor]) -> dict[str, Any]:
        references = self.trainer.datamodule.baselines.get(part, {})  # type: ignore[attr-defined]
        if not references:
            return scores
        errors = {f"{name}_{error}": value for name, of in references.items() for error, value in of.items()}
        skill = {
            f"skill{suffix}": 1 - scores[error] / min(of[error] for of in references.values())
            for error, suffix in (("rmse", ""), ("mae", "_mae"))
        }
        return {**scores, **skill, **errors}
