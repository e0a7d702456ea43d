"""What TensorBoard shows of a network at work: histograms of its layers, curves and pictures of its validation.

All of it in a few epochs (the first, second, fourth, eighth... and the last), and from what validation computes anyway.
No random number is drawn, and a step waits for nothing: only the last step of such an epoch copies gradients.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from litmus.callback._layers import evenly, watched
from litmus.config.protocols import Outputs, Task
from litmus.config.tags import WITHIN_NETWORK, WORKINGS
from litmus.page.charts import images as in_rows
from litmus.page.confusion import confusion_matrix
from litmus.page.drawing import COLORS, Drawing, Pixels
from litmus.page.scenes import Scene, together
from litmus.record.events import image
from litmus.record.metrics import min_score_of
from litmus.spec import Boxes, Classes, Images, Labels

MOST_LAYERS = 20
MOST_VALUES = 20_000  # of a layer, every n-th
BINS = 64
MOST_CURVES = 10  # classes or labels with a precision-recall curve
MOST_SAMPLES = 10_000  # of validation, for curves and confusion matrix
NUM_EXAMPLES, PER_ROW = 16, 4
NUM_SCENES = 8
MOST_NAMES = 40  # classes of a confusion matrix that can still be read


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
        writer: of the run's events.
    """

    def __init__(self, task: Task, writer: SummaryWriter) -> None:
        self.task, self.writer = task, writer
        self.layers = evenly([each for each in watched(task.net) if each.weight is not None], MOST_LAYERS)
        self.watching = False
        self.inputs: Tensor | None = None
        self.seen: list[tuple[Outputs, Outputs]] = []
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._activations: dict[str, Tensor] = {}
        task.observers["val"].append(self._observe)

    def stop(self) -> None:
        """Watches no more."""
        if self._observe in self.task.observers["val"]:
            self.task.observers["val"].remove(self._observe)

    def gradients(self, step: int) -> None:
        """Writes the gradients of the step that is about to be made."""
        for each in self.layers:
            if each.weight is not None and each.weight.grad is not None:
                self._histogram(f"gradients/{each.name}", each.weight.grad, step)

    def begin(self, inputs: Tensor) -> None:
        """Watches a validation, of which the first batch is given."""
        self.watching, self.seen, self._activations = True, [], {}
        self.inputs = inputs[:NUM_EXAMPLES]
        for each in self.layers:
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
        for name, values in self._activations.items():
            self._histogram(f"activations/{name}", values, step)
        for each in self.layers:
            if each.weight is not None:
                self._histogram(f"weights/{each.name}", each.weight.detach(), step)
        if self.seen:
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
        if len(some):
            self.writer.add_histogram(f"{WITHIN_NETWORK}{name}", some.cpu().numpy(), step, bins=BINS)

    def _show(self, step: int) -> None:
        target = self.task.net.spec.target
        pictures: dict[str, Drawing] = {}
        if isinstance(target, Boxes):
            pictures = self._boxes(target.names)
        elif isinstance(target, Classes | Labels):
            logits = torch.cat([own for own, _ in self.seen if isinstance(own, Tensor)]).float().cpu()
            truth = torch.cat([own for _, own in self.seen if isinstance(own, Tensor)]).cpu()
            self._curves(target, logits, truth, step)
            if isinstance(target, Classes):
                pictures = self._classes(target.names, logits, truth)
        assert self.writer.file_writer is not None
        for name, picture in pictures.items():
            summary = image(f"val/{name}", picture.png(scale=1), picture.width, picture.height)
            self.writer.file_writer.add_summary(summary, step)

    def _curves(self, target: Classes | Labels, logits: Tensor, truth: Tensor, step: int) -> None:
        is_class = isinstance(target, Classes)
        scores = (logits.softmax(dim=1) if is_class else logits.sigmoid()).nan_to_num().numpy()
        for i, name in enumerate(target.names[:MOST_CURVES]):
            own = (truth == i if is_class else truth[:, i] > 0).numpy()
            self.writer.add_pr_curve(f"val/{name}", own, scores[:, i], step)

    def _classes(self, names: tuple[str, ...], logits: Tensor, truth: Tensor) -> dict[str, Drawing]:
        found: dict[str, Drawing] = {}
        predicted, number = logits.argmax(dim=1), len(names)
        if number <= MOST_NAMES:
            counts = (truth * number + predicted).bincount(minlength=number**2).reshape(number, number)
            found["confusion_matrix"] = confusion_matrix("confusion matrix", counts.numpy(), names)
        if (images := self._images()) is not None:
            confidence = logits.softmax(dim=1).amax(dim=1)
            pairs = list(zip(predicted.tolist(), truth.tolist(), strict=True))[: len(images)]
            captions = [
                f"{names[p]} {c:.0%}" + ("" if p == t else f", is {names[t]}")
                for (p, t), c in zip(pairs, confidence.tolist(), strict=False)
            ]
            frames = [COLORS[0] if p == t else COLORS[1] for p, t in pairs]
            found["predictions"] = in_rows("predictions", images, captions, PER_ROW, frames=frames)
        return found

    def _boxes(self, names: tuple[str, ...]) -> dict[str, Drawing]:
        images = self._images()
        if images is None:
            return {}
        outputs, targets = self.seen[0]
        least = min_score_of(self.task.net)
        found = [own[own[:, 4] >= least] for own in outputs]
        scenes = [
            Scene(pixels, *(each.double().cpu().numpy() for each in pair))
            for pixels, *pair in zip(images[:NUM_SCENES], found, targets, strict=False)
        ]
        return {"boxes": together(scenes, names)}

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
