"""What is logged of every epoch besides loss and metrics: speed, learning rate, gradient norm, L2 penalty."""

import time
from typing import ClassVar

import lightning.pytorch as lightning
import torch
from torch import Tensor

from litmus.callback._base import Callback, task_of
from litmus.config.types import Count, Section
from litmus.config.validate import checked
from litmus.parallel.sharding import whole


class Meter(Callback):
    """Logs once an epoch, of training alone (validation does not count):

    - `optim/lr`: the learning rate of the epoch's last step (of the last group, the head's)
    - `optim/grad_norm`: the gradient's 2-norm before clipping, the mean of every n-th step's: see `mean_norm`
    - `optim/l2_penalty`: l2 * sum(w^2) at the epoch's end, which the loss does not contain
    - `time/samples_per_second` and `time/epoch_seconds`

    Attributes:
        samples_per_second: one figure per epoch of this process's run.
    """

    affects_training: ClassVar = False
    state_key = "meter"  # Lightning's own is composed anew at every hook

    @checked
    def __init__(self, *, every_n_steps: Count) -> None:
        self.every_n_steps = every_n_steps
        self.samples_per_second: list[float] = []
        self._norms: list[Tensor] = []
        self._lr = 0.0
        self._started = 0.0
        self._stopped = 0.0
        self._first_step = 0

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._norms = []
        self._stopped = 0.0
        self._started = time.perf_counter()

    def on_before_optimizer_step(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        # The hook gets no batch index; the loop's is undocumented.
        if trainer.fit_loop.batch_idx // trainer.accumulate_grad_batches % self.every_n_steps == 0:
            gradients = [p.grad for p in pl_module.parameters() if p.grad is not None]
            self._norms.append(whole(torch.nn.utils.get_total_norm(gradients)))
        self._lr = optimizer.param_groups[-1]["lr"]  # the schedule moves it right after this step

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._stop(trainer)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._stop(trainer)
        seconds = self._stopped - self._started
        num_samples = task_of(pl_module).num_samples("train") * trainer.world_size
        self.samples_per_second.append(num_samples / seconds)
        measured = {
            "optim/lr": self._lr,
            "optim/grad_norm": mean_norm(self._norms, pl_module.device, trainer.precision == "16-mixed"),
            "optim/l2_penalty": whole(task_of(pl_module).net.l2_penalty()),
            "time/samples_per_second": self.samples_per_second[-1],
            "time/epoch_seconds": seconds,
        }
        for name, value in measured.items():
            pl_module.log(name, torch.as_tensor(value, dtype=torch.float32), logger=False)  # `History` writes all

    def state_dict(self) -> Section:
        """What was measured in the epoch under way, of this process."""
        elapsed = (self._stopped or time.perf_counter()) - self._started
        return {"norms": self._norms, "seconds": elapsed}

    def load_state_dict(self, state_dict: Section) -> None:
        self._norms = state_dict["norms"]
        self._started, self._stopped = time.perf_counter() - state_dict["seconds"], 0.0

    def _stop(self, trainer: lightning.Trainer) -> None:
        if self._stopped:
            return
        if trainer.strategy.root_device.type == "cuda":
            torch.cuda.synchronize()
        self._stopped = time.perf_counter()


def mean_norm(norms: list[Tensor], device: torch.device, is_scaled: bool) -> Tensor:
    """The mean of gradients' norms, a scalar.

    Args:
        norms: of single steps, scalars; those of a checkpoint are on the CPU.
        device: that trains.
        is_scaled: whether gradients are float16's, whose scale is found by trying: a step with an infinite gradient is
            not made, as the first ones, and left out, unless all are.
    """
    values = torch.stack([norm.to(device) for norm in norms])
    finite = values.isfinite()
    return values[finite].mean() if is_scaled and finite.any() else values.mean()
