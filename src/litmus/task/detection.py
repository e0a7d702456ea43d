"""Finding boxes in pictures, and naming what is in them."""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torchmetrics import Metric

from litmus.config.protocols import Split
from litmus.config.validate import checked
from litmus.task import _precision
from litmus.task._base import MakeOptimizer, MakeScheduler, Task

MIN_SCORE = 0.001  # of boxes that are measured: as low as the ultralytics package and COCO go


class Metrics(Metric):
    """The mean loss and its parts, exact over batches of different sizes and over processes."""

    full_state_update = False

    def __init__(self) -> None:
        super().__init__()
        self.names: tuple[str, ...] = ()
        self.add_state("sums", torch.zeros(3), dist_reduce_fx="sum")
        self.add_state("num_samples", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.sums: Tensor
        self.num_samples: Tensor

    def update(self, losses: dict[str, Tensor], num_samples: int) -> None:
        """Adds a batch: the means of its parts."""
        self.names = tuple(losses)
        self.sums += torch.stack([part.detach().float() for part in losses.values()]) * num_samples
        self.num_samples += num_samples

    def local(self) -> dict[str, Tensor]:
        """Of this process alone: `loss`, the sum of the parts, and each part by its name."""
        means = self.sums / self.num_samples.clamp(min=1)
        return {"loss": means.sum(), **{f"{name}_loss": part for name, part in zip(self.names, means, strict=False)}}

    def compute(self) -> dict[str, Tensor]:
        """As `local`, over all processes."""
        return self.local()


class DetailedMetrics(Metrics):
    """Also the average precision of the boxes, and precision and recall at the best score to cut at."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("hits", "scores", "classes", "ground_truth"):
            self.add_state(name, [], dist_reduce_fx="cat")
        self.hits: list[Tensor]
        self.scores: list[Tensor]
        self.classes: list[Tensor]
        self.ground_truth: list[Tensor]

    def add_boxes(self, found: list[Tensor], ground_truth: list[Tensor]) -> None:
        """Adds a batch of pictures: what was found, and what is there; see `_precision.right`."""
        for of, truth in zip(found, ground_truth, strict=True):
            self.hits.append(_precision.right(of, truth).to(of.device, torch.uint8))  # gloo gathers no bool
            self.scores.append(of[:, 4])
            self.classes.append(of[:, 5])
            self.ground_truth.append(truth[:, 0])

    def compute(self) -> dict[str, Tensor]:
        """As `local`, over all processes, and `map`, `map50`, `precision` and `recall`."""
        states = [_whole(getattr(self, name)) for name in ("hits", "scores", "classes", "ground_truth")]
        found = _precision.summary(*(state.double().cpu().numpy() for state in states))
        return {**self.local(), **{name: torch.tensor(value) for name, value in found.items()}}


def _whole(state: Any) -> Tensor:
    if isinstance(state, Tensor):
        return state
    return torch.cat(state) if state else torch.zeros(0)


class Detection(Task):
    """The loss that a detector brings with it; mean average precision of its boxes.

    `map` is the mean over classes and over the ten thresholds of overlap from 0.5 to 0.95, `map50` at 0.5 alone.

    A detector has, besides what every network has: `losses(raw, targets)`, the parts of its loss; `answer_and_raw(x)`;
    `boxes(answer, min_score, several)`; and `begin_epoch(epoch, num_epochs)`.
    """

    monitor: ClassVar = "val/map"
    mode: ClassVar[Literal["min", "max"]] = "max"
    metric_names: ClassVar = ("loss", "box_loss", "cls_loss", "dfl_loss", "map", "map50", "precision", "recall")
    headline: ClassVar = ("loss", "map50", "map")

    @checked
    def __init__(self, net: nn.Module, optimizer: MakeOptimizer, scheduler: MakeScheduler) -> None:
        super().__init__(net, optimizer, scheduler)

    def make_metrics(self, part: Split) -> Metric:
        return Metrics() if part == "train" else DetailedMetrics()

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.net.begin_epoch(self.current_epoch, self.trainer.max_epochs or 1)  # type: ignore[operator]

    def step(self, batch: Any, part: Split) -> Tensor:
        inputs, targets = batch
        net: Any = self.net
        if part == "train":
            losses = net.losses(net(inputs), targets)
        else:
            answer, raw = net.answer_and_raw(inputs)
            losses = net.losses(raw, targets)
            ground_truth = [corners(own, *inputs.shape[2:]) for own in targets]
            self.metrics(part).add_boxes(net.boxes(answer, MIN_SCORE, several=True), ground_truth)
        self.metrics(part).update(losses, len(targets))
        return torch.stack(list(losses.values())).sum()


def corners(targets: Tensor, height: int, width: int) -> Tensor:
    """From (most boxes, 5) as `spec.Boxes` has them to (boxes, 5): class, left, top, right, bottom in pixels."""
    own = targets[targets[:, 0] >= 0]
    scale = own.new_tensor([width, height])
    centre, half = own[:, 1:3] * scale, own[:, 3:5] * scale / 2
    return torch.cat([own[:, :1], centre - half, centre + half], dim=1)
