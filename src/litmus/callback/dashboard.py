"""What TensorBoard shows of a run besides its epochs' scalars: graph, configuration, a row to compare."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

import lightning.pytorch as lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.tensorboard import SummaryWriter

from litmus.callback._base import Callback, data_of, task_of
from litmus.callback._graph import graph_of, layers_of
from litmus.callback._markdown import code, escaped
from litmus.callback._pictures import Pictures, is_due, layout
from litmus.callback._projector import Projector
from litmus.callback.checkpoint import is_step
from litmus.config.protocols import Net, Task
from litmus.config.tags import WHEN_BEST, WITHIN_EPOCH, WORKINGS, columns
from litmus.config.types import Count, Section
from litmus.config.validate import checked
from litmus.doctor.diagnose import in_words, nothing_found
from litmus.doctor.finding import Finding
from litmus.parallel.sharding import Sharding
from litmus.record.baselines import best_baseline
from litmus.record.command import command_with
from litmus.record.configuration import to_yaml
from litmus.record.events import PREFIX, ROW, row, scalars
from litmus.record.folder import RunDir
from litmus.record.metrics import TIE_BREAKER, of_the_whole

log = logging.getLogger(__name__)

FINAL = "final"  # a folder of earlier versions


class Dashboard(Callback):
    """Writes the network's graph, the configuration, the training loss within an epoch, pictures, and the HParams row.

    Pictures are what `_pictures` makes of some epochs, and `_projector` of the best one; a chart of custom scalars has
    training and validation in one.

    The row is written once, with the final metrics, into a file of its own, which a resumed run removes: TensorBoard
    would go on showing the first row that it finds. Its metrics are the best epoch's, not the last one's, and so
    have names of their own. No summary of the whole experiment is written, which `litmus dashboard` knows: TensorBoard
    would take the first run's for all, and leave out the columns that it does not mention.
    """

    affects_training: ClassVar = False

    @checked
    def __init__(self, *, every_n_steps: Count, graph: bool, pictures: bool) -> None:
        self.every_n_steps = every_n_steps
        self.graph = graph
        self.pictures = pictures
        self._pictures: Pictures | None = None
        self._projector: Projector | None = None
        self._writer: SummaryWriter | None = None
        self._curved: Sequence[int] | None = None  # see `Pictures`: the same in a run that is resumed

    def state_dict(self) -> Section:
        return {} if self._curved is None else {"curved": list(self._curved)}

    def load_state_dict(self, state_dict: Section) -> None:
        self._curved = state_dict["curved"]

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        board = next((logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)), None)
        if isinstance(trainer.strategy, Sharding):
            is_shown = trainer.strategy.broadcast(board is not None)
            if is_shown and not trainer.is_global_zero:
                self._take_part(trainer, pl_module)
        if not trainer.is_global_zero or board is None:
            return
        run = RunDir(trainer.default_root_dir)
        _remove_row(run)
        self._writer = board.experiment
        self._writer.add_text(f"{WORKINGS}config", code(to_yaml(run.read_config())), trainer.global_step)
        if self.graph and trainer.global_step == 0:
            self._add_graph(task_of(pl_module).net, pl_module.device)
        if self.pictures:
            self._writer.add_custom_scalars(layout(task_of(pl_module)))
            data = data_of(trainer) if trainer.world_size == 1 else None
            self._pictures = Pictures(task_of(pl_module), data, self._writer, self._curved)
            scores = [_score(task_of(pl_module), row) for row in run.whole_metrics() if row["epoch"] > 0]
            self._projector = Projector(task_of(pl_module), data_of(trainer), max(scores, default=None))

    def _take_part(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """What another process shows of a network is in part here: it computes, and is gathered, in all of them."""
        task = task_of(pl_module)
        if self.graph and trainer.global_step == 0:
            with suppress(Exception):  # which the other one says
                graph_of(task.net, task.net.example(2).to(pl_module.device))
        if self.pictures:
            self._pictures = Pictures(task, None, None)

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        is_last = trainer.is_last_batch or trainer.global_step + 1 == task_of(pl_module).max_steps
        if self._pictures is not None and is_last and _is_due(trainer):
            self._pictures.gradients(trainer.global_step)

    def on_validation_batch_start(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self._projector is not None and batch_idx == 0:
            self._projector.begin()
        if self._pictures is not None and batch_idx == 0 and _is_due(trainer):
            self._pictures.begin(batch[0])

    def on_validation_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if self._pictures is not None:
            self._pictures.end_of_batch()

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._projector is not None:
            self._projector.end()
        if self._pictures is not None and self._pictures.watching:
            try:
                self._pictures.end(max(trainer.global_step - 1, 0))
                self._curved = self._pictures.curved
            except Exception:  # a picture that cannot be drawn must not end a run
                log.warning("TensorBoard has not all pictures of this network.", exc_info=True)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._projector is not None:
            score = _score(task_of(pl_module), trainer.callback_metrics)
            self._projector.end_of_epoch(trainer.current_epoch + 1, score)

    def on_fit_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._pictures is not None:
            self._pictures.stop()
            self._pictures = None
        if self._projector is not None:
            self._projector.stop()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._writer is None or not outputs or not is_step(trainer, batch_idx):  # no outputs of a skipped step
            return
        if batch_idx // trainer.accumulate_grad_batches % self.every_n_steps == 0:
            self._writer.add_scalar(f"{WITHIN_EPOCH}train_loss", outputs["loss"].item(), trainer.global_step)

    def on_result(self, run: RunDir, result: Section) -> None:
        """Writes the HParams row of a run that has reached any metrics."""
        if self._writer is None:
            return
        if self._projector is not None:
            try:
                self._projector.write(run)
            except Exception:  # it must not end a run
                log.warning("TensorBoard's projector has nothing of this run.", exc_info=True)
        if result["epochs"]:
            self._writer.add_text("findings", _findings(run, result), result["steps"])
            self._writer.flush()
        if not result["metrics"]:
            return
        with SummaryWriter(str(run.path), filename_suffix=ROW) as writer:
            assert writer.file_writer is not None
            for summary in row(columns(run.read_config())):
                writer.file_writer.add_summary(summary)
            own = {
                name: value for name, value in of_the_whole(result["metrics"]).items() if not name.startswith("test/")
            }
            points = scalars({f"{WHEN_BEST}{name}": value for name, value in own.items()})  # NaN, if it diverged
            writer.file_writer.add_summary(points, result["steps"])  # the logger has those of the test

    def _add_graph(self, net: Net, device: torch.device) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        try:
            graph = graph_of(net, net.example(2).to(device))
        except Exception as error:  # networks are arbitrary code; a graph without arrows must not end a run
            log.warning("TensorBoard's graph has this network's layers, but not what flows between them: %s", error)
            graph = layers_of(net)
        assert self._writer is not None
        assert self._writer.file_writer is not None
        self._writer.file_writer.add_event(Event(graph_def=graph.SerializeToString()))


def _score(task: Task, metrics: Mapping[str, Any]) -> tuple[float, float]:
    """How good an epoch is, by the monitored metric and then by the loss: the larger, the better."""
    value, loss = (float(metrics.get(name) or 0.0) for name in (task.monitor, TIE_BREAKER))
    return (value if task.mode == "max" else -value), -loss


def _findings(run: RunDir, result: Section) -> str:
    """What the screen says of them, as Markdown: what, why, and the command to try."""
    if not result["findings"]:
        best = best_baseline({name: value for name, value in result["metrics"].items() if value is not None})
        return f"The doctor {nothing_found(best is not None and not best.is_beaten)}."
    parts = []
    for each in map(Finding.from_plain, result["findings"]):
        title, evidence, why = in_words(each)
        parts += [f"**{escaped(title)}** ({each.severity}): {escaped(evidence)}", escaped(why)]
        if each.overrides:
            parts.append(code(command_with(run, each.overrides)))
    return "\n\n".join(parts)


def _is_due(trainer: lightning.Trainer) -> bool:
    return is_due(trainer.current_epoch + 1, trainer.max_epochs or 0)


def _remove_row(run: RunDir) -> None:
    """Removes what an earlier process of this run wrote at its end; earlier versions did in a folder of its own."""
    for path in (*run.path.glob(f"{PREFIX}*{ROW}"), *(run.path / FINAL).glob(f"{PREFIX}*")):
        path.unlink()
    with suppress(OSError):  # there is none, or it holds other files
        (run.path / FINAL).rmdir()
