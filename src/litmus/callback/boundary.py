"""The decision boundary of a network with two inputs, or the curve of one, after each epoch: seen as it moves."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

import lightning.pytorch as lightning
import numpy as np
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from litmus.callback._base import Callback, data_of, task_of
from litmus.callback._drawings import in_units
from litmus.config.boundaries import MOST_CLASSES, MOST_SAMPLES, MOST_UNITS, PLACES, SIDE, Boundaries
from litmus.config.protocols import Data, Net
from litmus.config.types import Section, Whole
from litmus.config.validate import checked
from litmus.page.boundary import boundary
from litmus.page.selection import evenly
from litmus.parallel.sharding import Sharding
from litmus.record.boundaries import write
from litmus.record.events import image
from litmus.record.folder import RunDir
from litmus.spec import Classes, Columns, Number, Spec, Values

ROOM = 0.15  # beyond the samples, as a fraction of their range

log = logging.getLogger(__name__)

Floats = NDArray[np.float64]


class Boundary(Callback):
    """Keeps what the network makes of a grid of places, in about so many epochs, and shows it in TensorBoard.

    Of data whose inputs are two numbers and whose target is one of a few classes, or one number and a value; nothing of
    others, nor of a network in shards. Epochs are evenly spaced; beside them stand the state before the training, and
    the first and the last epoch. No random number is drawn. The run's page shows up to 30 of them, and an animation.

    Args:
        frames: about how many epochs; 0 for none.
    """

    affects_training: ClassVar = False
    state_key = "boundary"  # Lightning's own is composed anew at every hook

    @checked
    def __init__(self, *, frames: Whole) -> None:
        self.frames = frames
        self._kept: dict[int, tuple[Tensor, Tensor]] = {}  # by the epoch: outputs, and units
        self._is_fitting = False
        self._grid: _Grid | None = None

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._is_fitting = stage == "fit"

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        is_whole = not isinstance(trainer.strategy, Sharding)
        if self.frames and trainer.is_global_zero and is_whole and is_drawn(data_of(trainer).spec):
            self._grid = _Grid(data_of(trainer))
        if trainer.global_step == 0:
            self._keep(trainer, pl_module, 0)

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Before `ema`, which ends its averaging then, as callbacks come in the order of conf/callback/default.yaml."""
        if not trainer.sanity_checking:
            self._keep(trainer, pl_module, trainer.current_epoch + 1)

    def _is_due(self, epoch: int, last: int) -> bool:
        """Others are kept until the next one, as each may be the last."""
        return epoch in (0, 1, last) or epoch % math.ceil(last / self.frames) == 0

    def _keep(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, epoch: int) -> None:
        if self._grid is None:
            return
        try:
            self._show(trainer, pl_module, epoch, self._grid)
        except Exception:  # a picture that cannot be drawn must not end a run
            log.warning("There is no picture of the decision boundary in epoch %d.", epoch, exc_info=True)

    def _show(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, epoch: int, grid: "_Grid"
    ) -> None:
        net = task_of(pl_module).net
        with _evaluated(net), torch.inference_mode(), trainer.precision_plugin.forward_context():
            outputs = net(grid.places.to(pl_module.device)).float().cpu()
        last = trainer.max_epochs or 1
        self._kept = {number: own for number, own in self._kept.items() if self._is_due(number, last)}
        self._kept[epoch] = grid.shown(net, outputs), grid.units(net)
        board = next((own for own in trainer.loggers if isinstance(own, TensorBoardLogger)), None)
        if self._is_due(epoch, last) and board is not None and board.experiment.file_writer is not None:
            drawing = boundary(grid.boundaries({epoch: self._kept[epoch]}), 0)
            summary = image("val/boundary", drawing.png(scale=1), drawing.width, drawing.height)
            board.experiment.file_writer.add_summary(summary, max(trainer.global_step - 1, 0))

    def on_result(self, run: RunDir, result: Section) -> None:
        """Leaves them in the run folder, for its page."""
        if self._grid is None or not self._kept:
            return
        try:
            write(run.path, self._grid.boundaries(self._kept))
        except OSError as error:
            log.warning("The run has no boundaries.npz: %s", error)

    def state_dict(self) -> Section:
        return {"kept": {epoch: list(own) for epoch, own in self._kept.items()}}

    def load_state_dict(self, state_dict: Section) -> None:
        """Continues; the best checkpoint, which is loaded to be tested, has fewer."""
        if self._is_fitting:
            self._kept = {epoch: (outputs, units) for epoch, (outputs, units) in state_dict["kept"].items()}


def is_drawn(spec: Spec) -> bool:
    """Whether there is something to draw: two numbers and a few classes, or one number and one value."""
    columns, target = spec.input, spec.target
    if not isinstance(columns, Columns) or columns.dates or columns.categories:
        return False
    if any(number.quantiles or number.missing or number.words for number in columns.numbers):
        return False
    if isinstance(target, Classes):
        return len(columns.numbers) == 2 and len(target.names) <= MOST_CLASSES
    return isinstance(target, Values) and len(columns.numbers) == len(target.names) == 1


class _Grid:
    """The places at which a network is asked, and the samples among them.

    Args:
        data: of which `is_drawn` is true.

    Attributes:
        places: standardized, as the network receives them: float32 (places, inputs).
    """

    def __init__(self, data: Data) -> None:
        assert isinstance(data.spec.input, Columns)
        self.numbers: tuple[Number, ...] = data.spec.input.numbers
        self.target = data.spec.target
        rows = torch.from_numpy(evenly(min(data.sizes["train"], data.most_flat), MOST_SAMPLES))
        targets = data.targets("train")
        assert targets is not None
        self.samples = self._raw(np.asarray(data.flat_inputs("train", rows), dtype=np.float64))
        self.targets = targets[rows].double().reshape(len(rows)).numpy()
        low, high = self.samples.min(axis=0), self.samples.max(axis=0)
        room = ROOM * np.where(high > low, high - low, 1.0)
        self.low, self.high = low - room, high + room
        lines = [
            np.linspace(*ends, SIDE if len(low) == 2 else PLACES) for ends in zip(self.low, self.high, strict=True)
        ]
        grid = np.stack([own.ravel() for own in np.meshgrid(*lines)], axis=1)
        self.places = torch.from_numpy(((grid - self._mean) / self._std).astype(np.float32))

    @property
    def _mean(self) -> Floats:
        return np.array([number.mean for number in self.numbers])

    @property
    def _std(self) -> Floats:
        return np.array([number.std for number in self.numbers])

    def _raw(self, inputs: Floats) -> Floats:
        """Standardized inputs in their own units."""
        return inputs * self._std + self._mean

    def shown(self, net: Net, outputs: Tensor) -> Tensor:
        """What is kept of a network's outputs at the places: see `Boundaries.outputs`."""
        if isinstance(self.target, Values):
            return torch.from_numpy(in_units(self.target, outputs)).float()
        if net.predicts_probabilities:
            return (255 * outputs.softmax(dim=1)).round().byte()
        return 255 * nn.functional.one_hot(outputs.argmax(dim=1), outputs.shape[1]).byte()

    def units(self, net: Net) -> Tensor:
        """The lines of the hidden units of the first layer: see `Boundaries.units`.

        None where batch norm moves them, or the first layer is the last.
        """
        matrices = [module for _, module in net.named_modules() if isinstance(module, nn.Linear)]
        none = torch.zeros(0, len(self.numbers) + 1, dtype=torch.float64)
        if len(matrices) < 2 or any(isinstance(module, _BatchNorm) for _, module in net.named_modules()):
            return none
        weight, bias = matrices[0].weight.detach().double().cpu().numpy(), matrices[0].bias
        if weight.shape[1] != len(self.numbers) or len(weight) > MOST_UNITS:
            return none
        sums = np.zeros(len(weight)) if bias is None else bias.detach().double().cpu().numpy()
        raw = weight / self._std
        return torch.from_numpy(np.concatenate([raw, (sums - raw @ self._mean)[:, None]], axis=1))

    def boundaries(self, kept: dict[int, tuple[Tensor, Tensor]]) -> Boundaries:
        """What a file holds of these epochs."""
        epochs = sorted(kept)
        return Boundaries(
            names=[number.name for number in self.numbers],
            classes=list(self.target.names) if isinstance(self.target, Classes) else [],
            target=self.target.names[0] if isinstance(self.target, Values) else "",
            epochs=np.array(epochs, dtype=np.int64),
            outputs=np.stack([kept[epoch][0].numpy() for epoch in epochs]),
            units=np.stack([kept[epoch][1].numpy() for epoch in epochs]),
            low=self.low,
            high=self.high,
            inputs=self.samples,
            targets=self.targets,
        )


@contextmanager
def _evaluated(net: Net) -> Iterator[None]:
    """In the body, the network is in evaluation mode."""
    modes = [(module, module.training) for _, module in net.named_modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
