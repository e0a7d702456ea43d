"""What networks, datasets and tasks offer the rest of the house: whoever is handed one relies on this, and no more.

The bases (`model/_base.py`, `data/_base.py`, `task/_base.py`) implement it. No torch is imported here at run time.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

from litmus.config.epochs import Cut
from litmus.config.sample import Sample
from litmus.config.types import Section
from litmus.spec import Images, Spec, Tokens

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn
    from torch.utils.hooks import RemovableHandle

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
# What a batch of validation or test gave, or what is true of it: logits, values, or of each image its boxes.
Outputs: TypeAlias = "Tensor | list[Tensor]"
Observer = Callable[[Outputs, Outputs], None]  # of outputs and targets
# Metrics of methods without a network, by split, method and metric: {"test": {"majority": {"acc": 0.1}}}.
Baselines = dict[Split, dict[str, dict[str, float]]]


# From a name and what computes features, them and whether they were kept: see `litmus.run.features`.
KeepFeatures: TypeAlias = "Callable[[str, Callable[[], Tensor]], tuple[Tensor, bool]]"


class FrozenPart(Protocol):
    """The layers of a network that do not train; see `litmus.model._base.FrozenPart`."""

    @property
    def views(self) -> int | None: ...

    def __call__(self, inputs: "Tensor") -> "Tensor": ...

    def digest(self) -> str: ...


class Net(Protocol):
    """A network, which is an `nn.Module`; see `litmus.model._base.Net` for what each of these means."""

    gains_from_bf16: ClassVar[bool]
    predicts_probabilities: ClassVar[bool]
    spec: Spec
    provenance: str
    min_score: float | None
    errors: "Tensor | None"
    training: bool
    criterion: "Callable[[Tensor, Tensor, float], Tensor] | None"

    def __call__(self, x: "Tensor") -> "Tensor": ...

    @classmethod
    def check_fits(cls, spec: Spec) -> None: ...

    @classmethod
    def token_spec(cls, settings: Section, texts: Sequence[str]) -> Tokens | None: ...

    @classmethod
    def image_spec(cls, settings: Section, images: Images) -> Images: ...

    @classmethod
    def pretrained_spec(cls, arch: str) -> tuple[str, Spec]: ...

    @property
    def frozen_part(self) -> "FrozenPart | None": ...

    @property
    def last_layer(self) -> "nn.Module": ...

    def activation_of(self, module: "nn.Module") -> str | None: ...

    @property
    def untrained(self) -> "Callable[[Tensor], Tensor] | None": ...

    def rebuild_settings(self) -> Section: ...

    def save_huggingface(self, path: Path) -> "Callable[[Tensor], Tensor]": ...

    def save_ultralytics(self, path: Path) -> "Callable[[Tensor], Tensor]": ...

    def max_differences(self, output: "Tensor", other: "Tensor") -> list[tuple[float, float]]: ...

    def example(self, batch_size: int) -> "Tensor": ...

    def parameter_groups(self) -> list[Section]: ...

    def hidden_matrices(self) -> "list[nn.Parameter]": ...

    def l2_penalty(self) -> "Tensor": ...

    # Of nn.Module, as far as it is used.

    def parameters(self, recurse: bool = True) -> "Iterator[nn.Parameter]": ...

    def named_modules(self) -> "Iterator[tuple[str, nn.Module]]": ...

    def register_forward_pre_hook(
        self, hook: "Callable[[nn.Module, tuple[Tensor, ...]], None]"
    ) -> "RemovableHandle": ...

    def state_dict(self) -> "dict[str, Tensor]": ...

    def load_state_dict(self, state_dict: "Mapping[str, Tensor]") -> object: ...

    def train(self, mode: bool = True) -> "Net": ...

    def eval(self) -> "Net": ...

    def requires_grad_(self, requires_grad: bool = True) -> "Net": ...


class Detector(Net, Protocol):
    """A network that predicts bounding boxes; see `litmus.model._base.Detector`."""

    def losses(self, raw: object, targets: "Tensor") -> "dict[str, Tensor]": ...

    def predict_and_raw(self, x: "Tensor") -> "tuple[Tensor, object]": ...

    def boxes(self, output: "Tensor", min_score: float, multi_label: bool) -> "list[Tensor]": ...

    def begin_epoch(self, epoch: int, num_epochs: int) -> None: ...


class Data(Protocol):
    """A dataset; see `litmus.data._base.Data` for what each of these means."""

    is_tabular: ClassVar[bool]
    spec: Spec
    source: str
    batch_size: int
    cut: Cut
    sha256: dict[str, str]
    warning: str | None
    frozen_part: "FrozenPart | None"
    keep_features: "KeepFeatures"
    measure_baselines: Callable[[], Baselines]

    @property
    def sizes(self) -> dict[Split, int]: ...

    @property
    def columns(self) -> list[tuple[str, str, str]]: ...

    @property
    def notes(self) -> list[str]: ...

    @property
    def passes(self) -> int: ...

    @property
    def num_batches(self) -> int: ...

    def num_batches_of(self, num_processes: int) -> int: ...

    @property
    def epoch_lengths(self) -> list[int]: ...

    @property
    def facts(self) -> Section: ...

    @property
    def chosen(self) -> Section: ...

    @property
    def training_texts(self) -> list[str]: ...

    def counts(self, split: Split) -> "Tensor": ...

    @property
    def class_counts(self) -> "Tensor": ...

    @property
    def concerns(self) -> list[str]: ...

    @property
    def repeated(self) -> dict[Split, int]: ...

    @property
    def leaks(self) -> dict[str, list[str]]: ...

    @property
    def seconds_waited(self) -> float: ...

    @property
    def seen(self) -> "Tensor": ...

    @property
    def most_flat(self) -> int: ...

    @property
    def flat_noun(self) -> str: ...

    def targets(self, split: Split) -> "Tensor | None": ...

    def flat_inputs(self, split: Split, rows: "Tensor") -> "NDArray[np.float32] | list[str]": ...

    def forecasts(self, split: Split) -> "dict[str, Tensor]": ...

    def sample(self, split: Split, number: int) -> Sample: ...

    def evaluation_order(self, split: Split) -> "Tensor | None": ...

    def val_dataloader(self) -> "Iterable[tuple[Tensor, Tensor]]": ...

    def prepare_data(self) -> None: ...

    def setup(self, stage: str | None = None) -> None: ...

    def preload(self) -> None: ...

    def leave_out(self, seen: "Tensor") -> None: ...


class Task(Protocol):
    """A network with its loss and metrics; see `litmus.task._base.Task` for what each of these means."""

    monitor: ClassVar[str]
    mode: ClassVar[Literal["min", "max"]]
    headline: ClassVar[tuple[str, ...]]
    net: Net
    baselines: bool
    balanced: bool
    min_gain: float | None
    max_steps: int | None
    accepts: "Callable[[Tensor], bool] | None"
    observers: dict[Split, list[Observer]]

    def measure(self, predictions: "Tensor", targets: "Tensor") -> dict[str, float]: ...

    def running(self, split: Split) -> dict[str, float]: ...

    def loss_sum(self, split: Split) -> "Tensor | None": ...

    def num_samples(self, split: Split) -> int: ...


class Callback(Protocol):
    """A callback of the configuration; see `litmus.callback._base.Callback`."""

    affects_training: ClassVar[bool]

    def on_result(self, run: "RunFolder", result: Section) -> None: ...


class RunLogger(Protocol):
    """A logger of the configuration; see `litmus.logger._base.RunLogger`."""

    def on_result(self, run: "RunFolder", result: Section) -> None: ...


class RunFolder(Protocol):
    """A run's folder; see `litmus.record.folder.RunDir`."""

    path: Path
