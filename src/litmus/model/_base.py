"""What every network shares: its contract with a dataset, its regularizers, its parameter groups."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from litmus.config.conf import choice_of
from litmus.config.fit import Kinds, refusal
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.spec import Boxes, Classes, Columns, Images, Input, Labels, Series, Spec, Target, Tokens, Values

ACTIVATIONS: dict[type[nn.Module], str] = {nn.ReLU: "relu", nn.Sigmoid: "sigmoid", nn.Tanh: "tanh"}
Criterion = Callable[[Tensor, Tensor, float], Tensor]
Predict = Callable[[Tensor], Tensor]  # what `forward` does in evaluation


@dataclass(frozen=True)
class FrozenPart:
    """The layers of a network that do not train.

    Attributes:
        compute: (batch, ...) as the network receives it -> (batch, features), which the network's `forward` also takes.
        module: those layers.
        views: of each image that is augmented, whose features are computed once; None computes them in every epoch.
    """

    compute: Callable[[Tensor], Tensor]
    module: nn.Module
    views: int | None

    def __call__(self, inputs: Tensor) -> Tensor:
        return self.compute(inputs)

    def digest(self) -> str:
        """A hash of the layers' weights: the same ones compute the same features."""
        found = sha256(repr(self.module).encode())
        for name, own in self.module.state_dict().items():
            found.update(name.encode())
            found.update(own.detach().cpu().reshape(-1).numpy())
        return found.hexdigest()


class Net(nn.Module):
    """A network that takes `spec.input` and predicts `spec.target`.

    Subclasses declare the kinds of input and target that they support, and take their own settings as
    keyword arguments without defaults (those live in `conf/model/`).

    Attributes:
        input_kinds: the kinds of input that the network takes.
        target_kinds: the kinds of target that it predicts.
        gains_from_bf16: whether bf16 arithmetic makes it faster where the device supports it; small
            dense networks lose more to conversions than they gain.
        predicts_probabilities: whether the softmax of its outputs for classes, or the sigmoid of those for labels,
            estimates their probabilities, as training by cross-entropy makes it; otherwise outputs are scores, of which
            only the order means something, and for labels the sign.
        rate_matters: whether another learning rate makes another network; where a rate only scales all weights, it
            does not.
        has_hidden_matrices: whether there may be weight matrices between layers: see `hidden_matrices`.
        provenance: one sentence on where the weights come from; empty for random weights.
        min_score: the score from which a detector's box counts, chosen on the validation split; None before.
        errors: of one that predicts values, its absolute errors on the validation split in the data's unit, sorted for
            each value or step: float64 (at most `task.regression.MOST_ERRORS`, values); None before.
        computes: the methods besides `forward` that compute with the weights.
        criterion: a training loss that is part of what the network is, `(outputs, targets,
            label_smoothing) -> scalar`; None leaves the loss to the task. Of a network that predicts probabilities of
            classes, targets may be shares of them, too: see `task.classification.Classification.step`.
    """

    input_kinds: ClassVar[tuple[type[Input], ...]] = ()
    target_kinds: ClassVar[tuple[type[Target], ...]] = (Classes, Labels, Values)
    gains_from_bf16: ClassVar[bool] = False
    predicts_probabilities: ClassVar[bool] = True
    rate_matters: ClassVar[bool] = True
    has_hidden_matrices: ClassVar[bool] = True
    computes: ClassVar[tuple[str, ...]] = ()
    criterion: Criterion | None = None
    provenance: str = ""
    min_score: float | None = None
    errors: Tensor | None = None

    def __init__(self, spec: Spec, l2: float) -> None:
        super().__init__()
        self.check_fits(spec)
        self.spec = spec
        self.l2 = l2

    @classmethod
    def fits(cls, spec: Spec) -> bool:
        """Whether the network takes this input and predicts this target."""
        return isinstance(spec.input, cls.input_kinds) and isinstance(spec.target, cls.target_kinds)

    @classmethod
    def check_fits(cls, spec: Spec) -> None:
        """Checks that the network takes this input and predicts this target.

        Raises:
            UserError: it does not; the message lists the networks that do.
        """
        if not cls.fits(spec):
            own = Kinds(cls.input_kinds, cls.target_kinds)
            given = Kinds((type(spec.input),), (type(spec.target),))
            raise UserError(refusal(choice_of(f"{cls.__module__}.{cls.__name__}"), own, spec.data, given))

    @property
    def num_outputs(self) -> int:
        """Size of the output: the number of classes, of labels, or of values."""
        return len(self.spec.target.names)

    @classmethod
    def token_spec(cls, settings: Section, texts: Sequence[str]) -> Tokens | None:  # noqa: ARG003  # networks use them
        """The tokenizer and the length of texts that the network uses; None for a network that takes no texts.

        Args:
            settings: the network's section of the configuration.
            texts: the training texts, from which a vocabulary may be built.
        """
        return None

    @classmethod
    def image_spec(cls, settings: Section, images: Images) -> Images:  # noqa: ARG003  # networks use them
        """The size, channels and normalization of images that the network uses; by default, those of the data.

        Args:
            settings: the network's section of the configuration.
            images: the data's; a size of 0 and an empty mean leave the choice to the network.
        """
        return images

    @classmethod
    def pretrained_spec(cls, arch: str) -> tuple[str, Spec]:
        """The value of `model.weights` that selects the pretrained weights, and the spec they were trained on.

        Args:
            arch: an architecture, such as `resnet50`.

        Raises:
            UserError: there are no pretrained weights, or they are not available.
        """
        raise UserError(f"There are no pretrained weights for {arch}.")

    @property
    def frozen_part(self) -> FrozenPart | None:
        """The frozen layers in front, `images -> features`, if there are any and `forward` also takes their output.

        Training never changes them, so that the features of each image need to be computed only once.
        """
        return None

    @property
    def last_layer(self) -> nn.Module:
        """The layer that predicts from features; its input are features (batch, features), or several maps of them.

        The one called `head`; without it, the last one with a matrix, or the network itself.
        """
        layers = [module for module in self.modules() if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)]
        return dict(self.named_children()).get("head", layers[-1] if layers else self)

    def activation_of(self, module: nn.Module) -> str | None:
        """The name of an activation of which units can die or saturate: relu, sigmoid or tanh; None for other modules.

        Args:
            module: one of the network's.
        """
        return ACTIVATIONS.get(type(module))

    @property
    def untrained(self) -> Predict | None:
        """What `forward` gives before any training, if that is an answer of use, as the last value of a series is.

        Such a network is measured before its training, too: that is epoch 0, which stays the best where no other is
        better by more than chance.
        """
        return None

    def rebuild_settings(self) -> Section:
        """Settings, as plain values, that rebuild the network from a checkpoint without the files it was built from."""
        return {}

    def save_huggingface(self, path: Path) -> Predict:  # bert uses it
        """Writes a folder for transformers' `AutoModelForSequenceClassification` and `AutoTokenizer`.

        Args:
            path: of the folder, which must not exist.

        Returns:
            The network that was read back from it; takes and gives what `forward` does.

        Raises:
            UserError: the network cannot be written in this format.
        """
        raise UserError("--to huggingface supports model=bert only. Use --to onnx or --to torch.")

    def save_ultralytics(self, path: Path) -> Predict:  # yolo uses it
        """Writes a .pt for the `yolo` command.

        Args:
            path: of the file.

        Returns:
            The network that was read back from it; takes and gives what `forward` does.

        Raises:
            UserError: the network cannot be written in this format.
        """
        raise UserError("--to ultralytics supports model=yolo only. Use --to onnx or --to torch.")

    def max_differences(self, output: Tensor, other: Tensor) -> list[tuple[float, float]]:
        """The largest absolute difference between two outputs, and the largest absolute value, for each kind of number.

        Args:
            output: of `forward`, in evaluation.
            other: another program's output for the same inputs.
        """
        return [(float((other - output).abs().max()), float(output.abs().max()))]

    def example(self, batch_size: int) -> Tensor:
        """An input of the right shape and dtype: zeros, or, for texts, 8 tokens that are not padding."""
        kind = self.spec.input
        if isinstance(kind, Images):
            return torch.zeros(batch_size, kind.channels, kind.height, kind.width)
        if isinstance(kind, Columns):
            return torch.zeros(batch_size, kind.num_numbers + len(kind.categories))
        if isinstance(kind, Series):
            return torch.zeros(batch_size, kind.length, kind.features)
        return torch.full((batch_size, 8), 1 if kind.padding == 0 else 0)

    def parameter_groups(self) -> list[Section]:
        """Optimizer groups: weights under L2, then everything else.

        The loss gains `l2 * sum(w**2)`, whose gradient is `2 * l2 * w`: a weight decay of 2 * l2.
        """
        decayed = self._decayed()
        others = [p for p in self.parameters() if p.requires_grad and all(p is not d for d in decayed)]
        groups = [{"params": decayed, "weight_decay": 2 * self.l2}, {"params": others, "weight_decay": 0.0}]
        return [group for group in groups if group["params"]]

    def hidden_matrices(self) -> list[nn.Parameter]:
        """Weight matrices between layers: those under L2, without kernels of convolutions and the last layer."""
        last = {id(p) for p in self.last_layer.parameters()}
        return [p for p in self._decayed() if p.ndim == 2 and id(p) not in last]

    def l2_penalty(self) -> Tensor:
        """`l2 * sum(w**2)` over the weights under L2, a float32 scalar."""
        with torch.no_grad():
            return self.l2 * sum((w.float().square().sum() for w in self._decayed()), torch.zeros(()))

    def _decayed(self) -> list[nn.Parameter]:
        """Matrices and kernels; not biases and norms (vectors), not embeddings."""
        embeddings = {id(m.weight) for m in self.modules() if isinstance(m, nn.Embedding | nn.EmbeddingBag)}
        return [p for p in self.parameters() if p.requires_grad and p.ndim >= 2 and id(p) not in embeddings]


class Detector(Net):
    """A network that predicts bounding boxes, and brings its own loss.

    In training, `forward` gives the raw output: a structure of the detector's own, which only `losses` reads.
    """

    target_kinds: ClassVar = (Boxes,)
    computes: ClassVar = ("predict_and_raw",)

    @abstractmethod
    def losses(self, raw: object, targets: Tensor) -> dict[str, Tensor]:
        """The terms of the loss by name, each times its gain: scalars, means over the batch, whose sum is the loss.

        Args:
            raw: the output of `forward` in training, or of `answer_and_raw`.
            targets: float32 (batch, max boxes of an image, 5), as `spec.Boxes` describes.
        """

    @abstractmethod
    def predict_and_raw(self, x: Tensor) -> tuple[Tensor, object]:
        """In evaluation: the input of `boxes`, and the input of `losses`."""

    @abstractmethod
    def boxes(self, output: Tensor, min_score: float, multi_label: bool) -> list[Tensor]:
        """The boxes of each image after NMS, the best first.

        Args:
            output: of `forward` in evaluation, for a batch.
            min_score: boxes with a lower score are dropped.
            multi_label: whether one place may get boxes of several classes, as average precision requires.

        Returns:
            For each image float32 (boxes, 6): left, top, right, bottom in pixels, score, class.
        """

    def begin_epoch(self, epoch: int, num_epochs: int) -> None:
        """Called before each training epoch, counted from 0, for losses that change over time."""


def by_depth(groups: list[Section], depth: dict[int, int], lr_decay: float) -> list[Section]:
    """Splits parameter groups by depth below the head, the deepest first.

    Args:
        groups: from `Net.parameter_groups`.
        depth: layers below the head, by a parameter's `id`; 0 for parameters that are not listed.
        lr_decay: factor on the learning rate for each layer of depth (Howard and Ruder 2018).
    """
    return [
        {**group, "params": at, "lr_scale": lr_decay**steps}
        for steps in sorted({0, *depth.values()}, reverse=True)
        for group in groups
        if (at := [p for p in group["params"] if depth.get(id(p), 0) == steps])
    ]
