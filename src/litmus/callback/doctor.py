"""What the doctor's rules need of a training, measured in a few steps of each epoch: see `litmus.doctor`."""

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, ClassVar

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.hooks import RemovableHandle

from litmus import console
from litmus.callback._base import Callback, data_of, task_of
from litmus.callback._layers import Probe, measured, watched
from litmus.callback._validation import MOST_NUMBERS, collapsed, label_issues
from litmus.callback.checkpoint import Checkpoint, callbacks_of
from litmus.config.protocols import Data, Outputs, Task
from litmus.config.types import Count, Section
from litmus.config.validate import checked
from litmus.doctor.evidence import AT_CHANCE, Health, Layer
from litmus.parallel.sharding import Sharding, whole
from litmus.spec import Classes, Images, Labels, Series, Values

log = logging.getLogger(__name__)

MOST_ROWS = 100  # epochs that are kept; of more, every second one is dropped
EARLY = frozenset((1, 2, 4, 8, 16, 32, 64))  # steps of the first epoch whose loss is looked at, too
ENOUGH_STEPS = 200  # in which a network that learns has begun to
FAR_ABOVE = 2.0  # times the loss of chance: where half of an epoch's steps are above, fewer are enough


class Doctor(Callback):
    """Examines layers in `probes` steps of each epoch, and what each validation predicted.

    The optimizer calls it before and after each step, which costs two microseconds; a step that is examined costs
    a copy of the weights and some reductions on the device. Their sums are read once an epoch.

    Attributes:
        rows: of the epochs so far, those before a resumption included.
    """

    affects_training: ClassVar = False
    state_key = "doctor"  # Lightning's own is composed anew at every hook

    @checked
    def __init__(self, *, probes: Count) -> None:
        self.probes = probes
        self.rows: list[Health] = []
        self.first_loss: float | None = None
        self.first_norm: float | None = None
        self.input_size: float | None = None
        self._is_fitting = False
        self._is_first = True  # of several processes
        self._has_warned = False  # that nothing is learned
        self._steps_before = 0  # this epoch
        self._is_from_start = False  # a checkpoint of an earlier version knows nothing of the first step
        self._probe: Probe | None = None
        self._steps: frozenset[int] = frozenset()
        self._step = 0  # of the epoch
        self._losses: list[Tensor] = []  # of single steps
        self._before: tuple[Tensor | None, int] = (None, 0)  # the sum of losses and of samples before a step
        self._loaded: Section = {}
        self._facts: Section = {}
        self._task: Task | None = None
        self._outputs: list[tuple[Tensor, Tensor]] = []
        self._started = 0.0
        self._waited = 0.0
        self._found: dict[str, Any] = {}  # by the last validation
        self._input_hook: RemovableHandle | None = None

    def setup(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        self._is_fitting = stage == "fit"

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._is_first = trainer.is_global_zero
        if not self._is_first and not isinstance(trainer.strategy, Sharding):  # shards are measured by all processes
            return
        self._task, data = task_of(pl_module), data_of(trainer)
        task = self._task
        self._facts, self._is_from_start = facts(task, data), trainer.global_step == 0
        self._probe = Probe(watched(task.net))
        self._probe.sums, self._probe.first = self._loaded.get("sums", {}), self._loaded.get("first", {})
        num_steps = max(1, int(trainer.num_training_batches) // trainer.accumulate_grad_batches)
        self._steps = frozenset(i * num_steps // self.probes for i in range(self.probes))
        self._step, self._losses = self._loaded.get("step", 0), self._loaded.get("losses", [])
        if self._is_from_start and isinstance(data.spec.input, Images | Series):
            self._input_hook = task.net.register_forward_pre_hook(self._measure_input)
        (optimizer,) = trainer.optimizers
        optimizer.register_step_pre_hook(self._before_step)
        optimizer.register_step_post_hook(self._after_step)
        if isinstance(task.net.spec.target, Classes):
            task.observers["val"].append(self._observe)
        self._begin_epoch(trainer)

    def _measure_input(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """Of the first batch that is trained on; later ones are of the same size."""
        if module.training and self._input_hook is not None:
            self._input_hook.remove()
            self.input_size = float(inputs[0].detach().float().square().mean().sqrt())

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._begin_epoch(trainer)
        self._step = 0

    def _begin_epoch(self, trainer: lightning.Trainer) -> None:
        self._started, self._waited = time.perf_counter(), data_of(trainer).seconds_waited

    def _is_looked_at(self) -> bool:
        """Whether the loss of the step is: of those that are examined, and of some at the very beginning."""
        return self._step in self._steps or (not self.rows and self._step in EARLY)

    def _before_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._task is not None and self._is_looked_at():
            self._before = self._task.loss_sum("train"), self._task.num_samples("train")
        if self._step in self._steps and self._probe is not None:
            self._probe.begin()

    def _after_step(self, optimizer: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._task is not None and self._is_looked_at():
            (before, num_before), after = self._before, self._task.loss_sum("train")
            if after is not None and (number := self._task.num_samples("train") - num_before) > 0:
                self._losses.append((after - (0.0 if before is None else before)) / number)
        if self._step in self._steps and self._probe is not None:
            is_first = self._is_from_start and not self.rows and self._step == 0
            self._probe.end(is_first)
            if is_first and self._task is not None:
                self.first_loss = self._task.running("train")["loss"]
                gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
                self.first_norm = float(whole(torch.nn.utils.get_total_norm(gradients)))
        self._step += 1

    def _observe(self, outputs: Outputs, targets: Outputs) -> None:
        assert isinstance(outputs, Tensor)
        assert isinstance(targets, Tensor)
        if sum(own.numel() for own, _ in self._outputs) < MOST_NUMBERS:
            self._outputs.append((outputs, targets))

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._probe is not None:
            self._found = {"waiting": self._share_waited(trainer)}

    def _share_waited(self, trainer: lightning.Trainer) -> float:
        return (data_of(trainer).seconds_waited - self._waited) / max(time.perf_counter() - self._started, 1e-9)

    def on_validation_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        outputs, self._outputs = self._outputs, []
        if not outputs:
            return
        logits, targets = (torch.cat(each) for each in zip(*outputs, strict=True))
        if not torch.isfinite(logits).all():
            return
        self._found["collapsed"] = collapsed(logits)
        if task_of(pl_module).net.predicts_probabilities:
            issues = label_issues(logits, targets)
            if issues is not None:
                self._found["label_issues"], self._found["issue_spread"], self._found["issue_repeats"] = issues

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        if self._probe is None:
            return
        assert self._task is not None
        number = len(self._probe.layers)
        epoch = trainer.current_epoch + 1
        if not self.rows:
            self.rows.append(self._first_step())
        if self._losses:
            losses = torch.stack(self._losses)
            self._found["peak_loss"] = float(losses.max())
            if not self._has_warned and trainer.global_step < ENOUGH_STEPS:
                self._warn_of_chance(epoch, float(losses.median()), FAR_ABOVE)
        self.rows.append(Health(epoch, **_sequences(measured(self._probe.sums, number)), **self._found))
        self._probe.sums, self._found, self._losses = {}, {}, []
        if len(self.rows) > MOST_ROWS:
            kept = next((each.best_epoch for each in callbacks_of(trainer) if isinstance(each, Checkpoint)), None)
            self.rows = thinned(self.rows, kept)
        if not self._has_warned and trainer.global_step >= ENOUGH_STEPS > self._steps_before:
            self._warn_of_chance(epoch, self._task.running("train")["loss"], 1 - AT_CHANCE)  # Lightning has it later
        self._steps_before = trainer.global_step

    def _first_step(self) -> Health:
        assert self._probe is not None
        return Health(0, **_sequences(measured(self._probe.first, len(self._probe.layers))))

    def _warn_of_chance(self, epoch: int, loss: float, share: float) -> None:
        """Says once that nothing was learned in this epoch, where the loss is not below that share of chance."""
        chance = self._facts["chance_loss"]
        if self._is_first and chance is not None and not loss < share * chance:
            self._has_warned = True
            console.say(
                f"In epoch {epoch} the network has learned nothing: train/loss is {loss:.4g}, and a prediction that is "
                f"the same for every sample has {chance:.4g}.",
                style="yellow",
                wrap=True,
            )

    def to_plain(self) -> Section:
        """As `health.json` has it: what the rules need besides the metrics."""
        layers = self._probe.layers if self._probe else []
        rows = self.rows or ([self._first_step()] if self._probe and self._probe.first else [])
        return {
            **self._facts,
            "first_loss": self.first_loss,
            "first_norm": self.first_norm,
            "input_size": self.input_size,
            "layers": [asdict(Layer(each.name, type(each.module).__name__)) for each in layers],
            "epochs": [asdict(row) for row in rows],
        }

    def state_dict(self) -> Section:
        probe = self._probe
        under_way = (
            {}
            if probe is None
            else {"sums": probe.sums, "first": probe.first, "step": self._step, "losses": self._losses}
        )
        return {
            "rows": [asdict(row) for row in self.rows],
            "first_loss": self.first_loss,
            "first_norm": self.first_norm,
            "input_size": self.input_size,
            **under_way,
        }

    def load_state_dict(self, state_dict: Section) -> None:
        """Continues; the best checkpoint, which is loaded to be tested, knows less than was measured since."""
        if not self._is_fitting:
            return
        self.first_norm = state_dict["first_norm"]
        self.rows = [Health(**row) for row in state_dict["rows"]]
        self.first_loss = state_dict["first_loss"]
        self.input_size = state_dict.get("input_size")  # of earlier versions, none
        self._loaded = state_dict


def thinned(rows: Sequence[Health], best_epoch: int | None) -> list[Health]:
    """Every second row, and those that rules look at by themselves: the first step and epoch, the best, and the last.

    Args:
        rows: of epochs; this one's, which may turn out to be the best, is the last.
        best_epoch: of those before.
    """
    last = len(rows) - 1
    return [row for place, row in enumerate(rows) if place < 2 or (last - place) % 2 == 0 or row.epoch == best_epoch]


def facts(task: Task, data: Data) -> Section:
    """What the rules need to know of the data: `doctor.evidence.Evidence` has the names."""
    target = data.spec.target
    counts = data.class_counts.tolist() if isinstance(target, Classes | Labels) else []
    return {
        "chance_loss": _chance_loss(task, data, counts),
        "sizes": dict(data.sizes.items()),
        "names": list(target.names) if counts else [],
        "class_counts": counts,
        "repeated": data.repeated,
        "leaks": data.leaks,
    }


def _chance_loss(task: Task, data: Data, counts: Sequence[int]) -> float | None:
    """See `doctor.evidence.Evidence`."""
    target = data.spec.target
    if isinstance(target, Values) and not isinstance(data.spec.input, Series):
        return 1.0
    if not counts or not task.net.predicts_probabilities:
        return None
    if task.balanced:  # then the best constant says that all classes are as likely; of labels, its loss is not one
        return math.log(sum(count > 0 for count in counts)) if isinstance(target, Classes) else None
    if isinstance(target, Classes):
        shares = [count / sum(counts) for count in counts if count]
        return sum(-share * math.log(share) for share in shares)
    shares = [count / data.sizes["train"] for count in counts]
    return sum(_entropy(share) for share in shares) / len(shares)


def _entropy(share: float) -> float:
    return sum(-each * math.log(each) for each in (share, 1 - share) if each > 0)


def _sequences(rows: dict[str, list[float | None]]) -> dict[str, Any]:
    return {name: tuple(values) for name, values in rows.items()}
