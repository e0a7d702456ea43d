"""TensorBoard's projector: the features that a network's last layer is given of validation samples, in the best epoch.

Collected from what validation computes anyway, and written once, when the run ends.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from litmus.config.protocols import Data, Net, Outputs, Task
from litmus.config.sample import Sample
from litmus.page.drawing import Pixels, file_of, shrunk
from litmus.record.files import replacing, write_text
from litmus.record.folder import RunDir
from litmus.record.metrics import min_score_of
from litmus.spec import Classes, Labels, Values

MOST_SAMPLES = 500  # evenly chosen ones
FEWEST_SAMPLES = 10  # fewer show nothing
MOST_NUMBERS = 1_000_000  # samples times features
SIDE = 40  # pixels of an image
MOST_VALUES = 3  # of what a regression predicts
LONGEST = 200  # characters of a text
# Where TensorBoard looks for it. Not beside the events: it refuses files outside of the folder that the configuration
# lies in, and `litmus dashboard` shows a run's files by links.
FOLDER = "plugins/org_tensorflow_tensorboard_projector"


@dataclass(frozen=True)
class Seen:
    """What one batch of validation showed of the samples that were chosen.

    Attributes:
        numbers: of the samples, in the order in which validation reads them.
        features: float (samples, features), on the device.
        outputs: as the task's observers get them.
        targets: the same.
    """

    numbers: range
    features: Tensor
    outputs: Outputs
    targets: Outputs


class Projector:
    """Collects features of a validation, and keeps those of the best epoch.

    Args:
        task: whose validation is watched from now on.
        data: that it validates on.
        best: the score of the best epoch so far: see `end_of_epoch`.
    """

    def __init__(self, task: Task, data: Data, best: tuple[float, float] | None) -> None:
        self.task, self.data, self.best = task, data, best
        self.kept: list[Seen] = []
        self.epoch = 0
        self._seen: list[Seen] = []
        self._total = 0  # samples of the validation so far
        self._features: Tensor | None = None
        self._hook: torch.utils.hooks.RemovableHandle | None = None
        task.observers["val"].append(self._observe)

    def begin(self) -> None:
        """Watches a validation."""
        self._seen, self._total = [], 0
        self._hook = self.task.net.last_layer.register_forward_pre_hook(self._keep)

    def end(self) -> None:
        """The validation has ended."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def end_of_epoch(self, epoch: int, score: tuple[float, float]) -> None:
        """Keeps the epoch if it is the best.

        Args:
            epoch: counted from 1.
            score: the larger, the better.
        """
        if self._seen and (self.best is None or score > self.best):
            self.best, self.kept, self.epoch = score, self._seen, epoch
        self._seen = []

    def stop(self) -> None:
        """Watches no more."""
        self.end()
        if self._observe in self.task.observers["val"]:
            self.task.observers["val"].remove(self._observe)

    def _keep(self, module: nn.Module, inputs: tuple[object, ...]) -> None:  # torch's signature
        self._features = _pooled(inputs[0])

    def _observe(self, outputs: Outputs, targets: Outputs) -> None:
        features, self._features = self._features, None
        if self._hook is None or features is None:
            return
        most = min(MOST_SAMPLES, MOST_NUMBERS // features.shape[1])
        if most < FEWEST_SAMPLES:
            return
        every = -(-self.data.sizes["val"] // most)
        first, self._total = self._total, self._total + len(targets)
        start = -first % every
        if start < len(targets):
            rows = slice(start, None, every)
            copy = features[rows].detach().float().clone()  # a view would hold the whole batch
            self._seen.append(
                Seen(range(first + start, self._total, every), copy, _rows(outputs, rows), _rows(targets, rows))
            )

    def write(self, run: RunDir) -> None:
        """Writes what was kept, if it shows anything: points that are not all in one place."""
        if not self.kept:
            return
        features = torch.cat([each.features for each in self.kept]).cpu().numpy()
        if len(features) < FEWEST_SAMPLES or not np.isfinite(features).all() or not np.ptp(features, axis=0).any():
            return
        numbers = np.concatenate([np.array(each.numbers) for each in self.kept])
        order = self.data.evaluation_order("val")
        numbers = numbers if order is None else order.numpy()[numbers]
        samples = [self.data.sample("val", int(number)) for number in numbers]
        answers = [cells for each in self.kept for cells in _answers(self.task.net, each)]
        rows = [{**_described(sample), **own} for sample, own in zip(samples, answers, strict=True)]
        self._write(run, features, rows, [each.image for each in samples if each.image is not None])

    def _write(
        self, run: RunDir, features: NDArray[np.float32], rows: list[dict[str, str]], images: list[Pixels]
    ) -> None:
        from google.protobuf import text_format  # type: ignore[import-untyped]
        from tensorboard.plugins.projector.projector_config_pb2 import EmbeddingInfo, ProjectorConfig

        folder = run.path / FOLDER
        info = EmbeddingInfo(tensor_name=f"features, epoch {self.epoch}", tensor_path="features.bytes")
        info.tensor_shape.extend(features.shape)
        info.metadata_path = "samples.tsv"
        with replacing(folder / info.tensor_path) as path:
            path.write_bytes(features.astype("<f4").tobytes())
        lines = [list(rows[0]), *([row.get(name, "") for name in rows[0]] for row in rows)]
        write_text(folder / info.metadata_path, "".join("\t".join(map(_cell, line)) + "\n" for line in lines))
        if len(images) == len(rows):
            sheet, size = _sheet(images)
            content, kind = file_of(sheet)
            info.sprite.image_path = f"sprites.{kind}"
            info.sprite.single_image_dim.extend(size)
            with replacing(folder / info.sprite.image_path) as path:
                path.write_bytes(content)
        config = text_format.MessageToString(ProjectorConfig(embeddings=[info]))
        write_text(folder / "projector_config.pbtxt", config)


def _pooled(features: object) -> Tensor | None:
    """Features of each sample, (samples, features): of maps, and several of them, the means."""
    if isinstance(features, list | tuple):
        every = [_pooled(each) for each in features]
        tensors = [each for each in every if each is not None]
        return torch.cat(tensors, dim=1) if tensors else None
    if not isinstance(features, Tensor):
        return None
    return features.flatten(2).float().mean(dim=2) if features.ndim > 2 else features


def _rows(of: Outputs, rows: slice) -> Outputs:
    return of[rows] if isinstance(of, list) else of[rows].clone()


def _described(sample: Sample) -> dict[str, str]:
    """What a person recognizes a sample by, besides its image."""
    found = {}
    if sample.text:
        found["text"] = "".join(piece.text for piece in sample.text)[:LONGEST]
    if sample.past is not None:
        found["row"] = str(sample.row)
        found |= {key: value for key, value in (("date", sample.date), ("group", sample.name)) if value}
    return found


def _answers(net: Net, seen: Seen) -> list[dict[str, str]]:
    """What is true of each sample, and what the network says."""
    target = net.spec.target
    true, predicted = _said(net, seen.targets, is_output=False), _said(net, seen.outputs, is_output=True)
    if isinstance(target, Values):
        names = [*target.names[:MOST_VALUES], *(f"predicted {name}" for name in target.names[:MOST_VALUES])]
        pairs = zip(true, predicted, strict=True)
        return [dict(zip(names, (*a[:MOST_VALUES], *b[:MOST_VALUES]), strict=True)) for a, b in pairs]
    noun = "class" if isinstance(target, Classes) else target.noun
    return [
        {noun: a, "predicted": b, "right": "yes" if a == b else "no"}
        for (a,), (b,) in zip(true, predicted, strict=True)
    ]


def _said(net: Net, given: Outputs, is_output: bool) -> list[tuple[str, ...]]:
    """Outputs or targets in words: see `protocols.Task.observers`."""
    target = net.spec.target
    if isinstance(given, list):
        numbers = [own[own[:, 4] >= min_score_of(net)][:, 5] if is_output else own[:, 0] for own in given]
        return [(_listed([target.names[i] for i in sorted(own.int().tolist())]),) for own in numbers]
    if isinstance(target, Classes):
        classes = given.argmax(dim=1) if is_output else given
        return [(target.names[i],) for i in classes.tolist()]
    if isinstance(target, Labels):
        return [(_listed([target.names[i] for i in row.nonzero()[:, 0].tolist()]),) for row in (given > 0).cpu()]
    assert isinstance(target, Values)
    values = given.double().cpu() * torch.tensor(target.std) + torch.tensor(target.mean)
    return [tuple(f"{value:.5g}" for value in row) for row in values.tolist()]


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _cell(text: str) -> str:
    """As a table's cell: tabs and ends of lines would be others."""
    return " ".join(text.split()) or "-"


def _sheet(images: list[Pixels]) -> tuple[Pixels, tuple[int, int]]:
    """The images in one, row by row in a square, and width and height of each."""
    small = [shrunk(image, SIDE) for image in images]
    height, width = max(each.shape[0] for each in small), max(each.shape[1] for each in small)
    side = int(np.ceil(len(small) ** 0.5))
    sheet = np.full((side * height, side * width, small[0].shape[2]), 255, np.uint8)
    for number, image in enumerate(small):
        top, left = number // side * height, number % side * width
        sheet[top : top + image.shape[0], left : left + image.shape[1]] = image
    return sheet, (width, height)
