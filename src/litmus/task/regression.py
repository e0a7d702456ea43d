"""Predicting numbers."""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torchmetrics import Metric

from litmus.check import checked
from litmus.task._base import MakeOptimizer, MakeScheduler, Part, Task


class Score(Metric):
    """Errors and correlation, exact over batches of different sizes and over processes.

    Sums are of scaled values, whose mean is about 0 and deviation about 1: float32 loses nothing to
    cancellation there.
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
            self.add_state(name, torch.zeros(size), dist_reduce_fx="sum")

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Adds a batch: scaled answers and targets, both (batch, values)."""
        x, y = outputs.float(), targets
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
            "loss": (self.squared / n).mean(),
            "rmse": (self.squared / n * self.std**2).mean().sqrt(),
            "mae": (self.absolute / n * self.std).mean(),
            "r": r.mean(),
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
    headline: ClassVar = ("loss", "rmse", "mae", "r", "skill")

    @checked
    def __init__(self, net: nn.Module, optimizer: MakeOptimizer, scheduler: MakeScheduler) -> None:
        super().__init__(net, optimizer, scheduler)
        target: Any = net.spec.target  # type: ignore[union-attr]
        self.register_buffer("mean", torch.tensor(target.mean), persistent=False)
        self.register_buffer("std", torch.tensor(target.std), persistent=False)
        self.mean: Tensor
        self.std: Tensor

    def make_score(self, part: Part) -> Metric:
        target: Any = self.net.spec.target  # type: ignore[union-attr]
        return Score(torch.tensor(target.std))

    def step(self, batch: Any, part: Part) -> Tensor:
        inputs, targets = batch
        scaled = (targets - self.mean) / self.std
        outputs = self.net(inputs)
        loss = mse_loss(outputs.float(), scaled)
        self.score(part).update(outputs.detach(), scaled)
        return loss

    def measured(self, part: Part, scores: dict[str, Tensor]) -> dict[str, Any]:
        references = getattr(self.trainer.datamodule, "references", {}).get(part, {})  # type: ignore[attr-defined]
        if not references:
            return scores
        errors = {f"{name}_{error}": value for name, of in references.items() for error, value in of.items()}
        skill = {
            f"skill{suffix}": 1 - scores[error] / min(of[error] for of in references.values())
            for error, suffix in (("rmse", ""), ("mae", "_mae"))
        }
        return {**scores, **skill, **errors}
