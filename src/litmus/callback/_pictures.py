"""What TensorBoard shows of a network at work: histograms of its layers, curves and pictures of its validation.

All of it in a few epochs (the first, second, fourth, eighth... and the last), and from what validation computes anyway.
No random number is drawn, and a step waits for nothing: only the last step of such an epoch copies gradients.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from litmus.callback._drawings import (
    in_units,
    of_boxes,
    of_classes,
    of_forecasts,
    of_labels,
    of_mistakes,
    of_values,
    quality_of,
)
from litmus.callback._layers import watched
from litmus.callback._mistakes import worst_mistakes
from litmus.config.protocols import Data, Outputs, Task
from litmus.config.sample import Sample
from litmus.config.tags import WITHIN_NETWORK, WORKINGS
from litmus.page.drawing import Drawing, Pixels
from litmus.page.filters import Weights, as_images, filters
from litmus.page.selection import evenly, worst
from litmus.parallel.sharding import whole
from litmus.record.events import image
from litmus.record.metrics import min_score_of
from litmus.spec import Boxes, Classes, Images, Labels, Series, Tokens, Values

MOST_LAYERS = 20
MOST_VALUES = 20_000  # of a layer, every n-th
BINS = 64
MOST_CURVES = 10  # classes or labels with a precision-recall curve
MOST_SAMPLES = 10_000  # of validation, for curves and confusion matrix
NUM_EXAMPLES = 16


def is_due(epoch: int, last: int) -> bool:
    """Whether pictures are made of an epoch, counted from 1: 1, 2, 4, 8... and the last."""
    return epoch == last or epoch & (epoch - 1) == 0


def layout(task: Task) -> dict[str, dict[str, list[str | list[str]]]]:
    """Of the tab with custom scalars: training and validation in one chart per metric, and the learning rate."""
    charts: dict[str, list[str | list[str]]] = {
        name: ["Multiline", [f"^(train|val)/{name}$"]] for name in task.headline
    }
    return {"training and validation": charts, "learning rate": {"lr": ["Multiline", [f"^{WORKINGS}optim/lr$"]]}}


class Pictures:
    """Collects in an epoch what is shown of it.

    Args:
        task: whose validation is watched from now on.
        data: that it validates on; None where this process sees only a part of it, whose samples have other numbers.
        writer: of the run's events; None in a process that shows nothing, and has shards of what another one shows.
        curved: the numbers of the classes or labels with a precision-recall curve, as chosen before the run was
            resumed; None where that is still to be done.

    Attributes:
        curved: the same, once an epoch was shown. They are those of the lowest F1 in that first one, and stay: curves
            of later epochs can be compared with its, and with each other.
    """

    def __init__(
        self, task: Task, data: Data | None, writer: SummaryWriter | None, curved: Sequence[int] | None = None
    ) -> None:
        self.task, self.data, self.writer, self.curved = task, data, writer, curved
        layers = [each for each in watched(task.net) if each.weight is not None]
        self.layers = [layers[row] for row in evenly(len(layers), MOST_LAYERS)]
        self.watching = False
        self.inputs: Tensor | None = None
        self.seen: list[tuple[Outputs, Outputs]] = []
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._activations: dict[str, Tensor] = {}
        self._order: Tensor | None = None
        self._first: Weights | None = None
        if writer is not None:
            task.observers["val"].append(self._observe)

    def stop(self) -> None:
        """Watches no more."""
        if self._observe in self.task.observers["val"]:
            self.task.observers["val"].remove(self._observe)

    def gradients(self, step: int) -> None:
        """Writes the gradients of the step that is about to be made."""
        for each in self.layers:
            if each.weight is not None and each.weight.grad is not None:
                self._histogram(f"gradients/{each.name}", whole(each.weight.grad), step)

    def begin(self, inputs: Tensor) -> None:
        """Watches a validation, of which the first batch is given."""
        self.watching, self.seen, self._activations = True, [], {}
        self.inputs = inputs[:NUM_EXAMPLES]
        for each in self.layers if self.writer is not None else ():
            self._hooks.append(each.module.register_forward_hook(self._keep(each.name)))

    def end_of_batch(self) -> None:
        """Activations are those of the first batch."""
        for hook in self._hooks:
            hook.remove()
        self._hooks = []

    def end(self, step: int) -> None:
        """Writes what a validation showed, and the weights."""
        self.end_of_batch()
        self.watching = False
        weights = {each.name: whole(each.weight.detach()) for each in self.layers if each.weight is not None}
        self._first = self._first_layer()
        if self.writer is None:
            return
        for name, values in self._activations.items():
            self._histogram(f"activations/{name}", values, step)
        for name, values in weights.items():
            self._histogram(f"weights/{name}", values, step)
        if self.seen:
            self._order = None if self.data is None else self.data.evaluation_order("val")
            self._show(step)
        self.seen, self._activations, self.inputs = [], {}, None

    def _observe(self, outputs: Outputs, targets: Outputs) -> None:
        if self.watching and sum(len(own) for own, _ in self.seen) < MOST_SAMPLES:
            self.seen.append((outputs, targets))

    def _keep(self, name: str) -> Callable[[nn.Module, object, object], None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:  # noqa: ARG001  # torch's signature
            first = output[0] if isinstance(output, tuple) else output  # an LSTM gives its last states, too
            if isinstance(first, Tensor) and name not in self._activations:
                self._activations[name] = _some(first.detach())

        return hook

    def _histogram(self, name: str, values: Tensor, step: int) -> None:
        some = _some(values).float()
        some = some[some.isfinite()]
        if len(some) and self.writer is not None:
            self.writer.add_histogram(f"{WITHIN_NETWORK}{name}", some.cpu().numpy(), step, bins=BINS)

    def _show(self, step: int) -> None:
        assert self.writer is not None
        assert self.writer.file_writer is not None
        for name, picture in (self._drawn(step) | self._filters()).items():
            summary = image(f"val/{name}", picture.png(scale=1), picture.width, picture.height)
            self.writer.file_writer.add_summary(summary, step)

    def _drawn(self, step: int) -> dict[str, Drawing]:
        """Pictures by their names; writes curves and texts."""
        assert self.writer is not None
        net, images = self.task.net, self._images()
        target = net.spec.target
        if isinstance(target, Boxes):
            return of_boxes(target, self.seen, images, min_score_of(net))
        outputs = torch.cat([own for own, _ in self.seen if isinstance(own, Tensor)]).float().cpu()
        truth = torch.cat([own for _, own in self.seen if isinstance(own, Tensor)]).cpu()
        if isinstance(net.spec.input, Tokens) and self.data is not None:
            self.writer.add_text("mistakes", worst_mistakes(net, outputs, truth, self._sample), step)
        if isinstance(target, Values):
            return self._values(target, outputs, truth)
        self._curves(target, outputs, truth, step)
        if isinstance(target, Labels):
            return of_labels(target, outputs, truth)
        found = of_classes(target, outputs, truth, images, net.predicts_probabilities)
        is_seen = images is not None and self.data is not None
        return found | (of_mistakes(target, outputs, truth, self._sample) if is_seen else {})

    def _first_layer(self) -> Weights | None:
        """As `page.filters.first_layer`, also of a network in shards."""
        spec, first = self.task.net.spec.input, next(iter(self.task.net.parameters()), None)
        if not isinstance(spec, Images) or first is None:
            return None
        return as_images(whole(first.detach()).float().cpu().numpy(), spec)

    def _filters(self) -> dict[str, Drawing]:
        """Those of the first layer, if it sees pixels."""
        return {} if self._first is None else {"filters": filters(self._first)}

    def _values(self, target: Values, outputs: Tensor, truth: Tensor) -> dict[str, Drawing]:
        true, predicted, spec = in_units(target, truth), in_units(target, outputs), self.task.net.spec.input
        if not isinstance(spec, Series):
            return of_values(list(zip(target.names, true.T, predicted.T, strict=True)))
        found = of_values([(spec.raw[0], true.ravel(), predicted.ravel())])
        return found if self.data is None else found | of_forecasts(spec.raw[0], true, predicted, self._sample)

    def _sample(self, row: int) -> Sample:
        """That of a row of what was seen."""
        assert self.data is not None
        return self.data.sample("val", row if self._order is None else int(self._order[row]))

    def _curves(self, target: Classes | Labels, logits: Tensor, truth: Tensor, step: int) -> None:
        assert self.writer is not None
        is_class = isinstance(target, Classes)
        scores = (logits.softmax(dim=1) if is_class else logits.sigmoid()).nan_to_num().numpy()
        if self.curved is None:
            found, counts = quality_of(target, logits, truth)
            self.curved = worst(np.where(counts > 0, found.f1, np.nan), MOST_CURVES)
        for i in self.curved:
            own = (truth == i if is_class else truth[:, i] > 0).numpy()
            self.writer.add_pr_curve(f"val/{target.names[i]}", own, scores[:, i], step)

    def _images(self) -> list[Pixels] | None:
        """Those of the first batch, if the network saw images."""
        spec = self.task.net.spec.input
        if not isinstance(spec, Images) or self.inputs is None or self.inputs.shape[1:] != self._size(spec):
            return None  # features of a frozen part
        shape = (1, spec.channels, 1, 1)
        mean, std = np.array(spec.mean).reshape(shape), np.array(spec.std).reshape(shape)
        pixels = (self.inputs.float().cpu().numpy() * std + mean).clip(0, 1) * 255
        pixels = pixels[:, : 3 if spec.channels >= 3 else 1]
        return list(pixels.astype(np.uint8).transpose(0, 2, 3, 1))

    @staticmethod
    def _size(spec: Images) -> tuple[int, int, int]:
        return spec.channels, spec.height, spec.width


def _some(values: Tensor) -> Tensor:
    flat = values.reshape(-1)
    return flat[:: max(1, len(flat) // MOST_VALUES)]
