"""Detection: bounding boxes in images, and the class of each."""

import logging
from collections.abc import Callable
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor

from litmus.config.protocols import Detector, Split
from litmus.config.validate import checked
from litmus.task._base import Batch, MakeOptimizer, MakeScheduler, Task
from litmus.task._metrics import Metrics, all_gather
from litmus.task.boxes import precision

log = logging.getLogger(__name__)

MIN_SCORE = 0.001  # of boxes that are measured: as low as the ultralytics package and COCO go


class BoxMetrics(Metrics):
    """The mean loss and its parts."""

    def update(self, losses: dict[str, Tensor], num_samples: int) -> None:
        """Adds a batch: the means of the loss's parts, by name."""
        self.add(num_samples, **{name: part.detach().float() * num_samples for name, part in losses.items()})

    def from_sums(self, sums: dict[str, Tensor], num_samples: int) -> dict[str, Tensor]:
        """`loss`, the sum of the parts, and each part by its name."""
        means = {f"{name}_loss": value / num_samples for name, value in sums.items()}
        return {"loss": torch.stack(list(means.values())).sum(), **means}


class DetailedMetrics(BoxMetrics):
    """Also the average precision of the boxes, and precision and recall of those that score high enough.

    Args:
        min_score: gives the score from which a box counts in precision and recall, which are left out if it is None.
    """

    def __init__(self, min_score: Callable[[precision.Matches], float | None]) -> None:
        super().__init__()
        self.min_score = min_score
        self.boxes: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []  # of each image, on the CPU

    def add_boxes(self, found: list[Tensor], ground_truth: list[Tensor]) -> None:
        """Adds a batch of images.

        Args:
            found: of each image, float (boxes, 6): left, top, right, bottom, score, class; the best first.
            ground_truth: of each image, float (boxes, 5): class, left, top, right, bottom.
        """
        for of, truth in zip(map(precision.best_of_each_class, found), ground_truth, strict=True):
            self.boxes.append((precision.match_boxes(of, truth), of[:, 4].cpu(), of[:, 5].cpu(), truth[:, 0].cpu()))

    def compute(self) -> dict[str, Tensor]:
        """As `from_sums`, over all processes, and `map`, `map50`, `precision` and `recall`."""
        boxes = [of_image for own in all_gather(self.boxes) for of_image in own]
        if not boxes:
            return {}
        columns = [torch.cat(column).double().numpy() for column in zip(*boxes, strict=True)]
        matches = precision.Matches(*columns)
        found = precision.average_precision(matches)
        if (min_score := self.min_score(matches)) is not None:
            found |= precision.precision_and_recall(matches, min_score)
        return {**super().compute(), **{name: torch.tensor(value) for name, value in found.items()}}

    def reset(self) -> None:
        super().reset()
        self.boxes = []


class Detection(Task):
    """The detector's own loss; mean average precision of its boxes.

    `map` is COCO's AP: the mean over classes and over the ten IoU thresholds from 0.5 to 0.95; `map50` at 0.5 alone.
    `precision` and `recall` are those of the boxes that score at least the network's `min_score`. Every validation
    chooses it anew, so that the two are flattered there; the test takes the one that was stored with the weights.

    What a detector offers besides what every network does is in `litmus.config.protocols.Detector`.
    """

    monitor: ClassVar = "val/map"
    mode: ClassVar[Literal["min", "max"]] = "max"
    metric_names: ClassVar = {
        "loss": "min",
        "box_loss": "min",
        "cls_loss": "min",
        "dfl_loss": "min",
        "map": "max",
        "map50": "max",
        "precision": "max",
        "recall": "max",
    }
    headline: ClassVar = ("loss", "map50", "map")

    @checked
    def __init__(self, net: Detector, optimizer: MakeOptimizer, scheduler: MakeScheduler) -> None:
        super().__init__(net, optimizer, scheduler)

    @property
    def detector(self) -> Detector:
        """The network."""
        return cast(Detector, self.net)

    def make_metrics(self, split: Split) -> Metrics:
        if split == "train":
            return BoxMetrics()
        return DetailedMetrics(self._choose_min_score if split == "val" else lambda _: self.detector.min_score)

    def _choose_min_score(self, matches: precision.Matches) -> float:
        self.detector.min_score = precision.best_min_score(matches)
        return self.detector.min_score

    def on_test_epoch_start(self) -> None:
        super().on_test_epoch_start()
        if self.detector.min_score is None:
            log.warning(
                "The checkpoint does not say from which score on a box counts: an earlier version of litmus wrote it. "
                "Precision and recall are left out."
            )

    def on_train_epoch_start(self) -> None:
        super().on_train_epoch_start()
        self.detector.begin_epoch(self.current_epoch, self.trainer.max_epochs or 1)

    def step(self, batch: Batch, split: Split) -> Tensor:
        """The loss of one batch; observers get found and true boxes, lists as of `DetailedMetrics.add_boxes`."""
        inputs, targets = batch
        net, metrics = self.detector, cast(DetailedMetrics, self.metrics(split))
        if split == "train":
            losses = net.losses(net(inputs), targets)
        else:
            answer, raw = net.predict_and_raw(inputs)
            losses = net.losses(raw, targets)
            ground_truth = [corners(own, *inputs.shape[2:]) for own in targets]
            found = net.boxes(answer, MIN_SCORE, multi_label=True)
            metrics.add_boxes(found, ground_truth)
            self.observe(split, found, ground_truth)
        metrics.update(losses, len(targets))
        return torch.stack(list(losses.values())).sum()


def corners(targets: Tensor, height: int, width: int) -> Tensor:
    """From (most boxes, 5) as `spec.Boxes` has them to (boxes, 5): class, left, top, right, bottom in pixels."""
    own = targets[targets[:, 0] >= 0]
    scale = own.new_tensor([width, height])
    center, half = own[:, 1:3] * scale, own[:, 3:5] * scale / 2
    return torch.cat([own[:, :1], center - half, center + half], dim=1)
