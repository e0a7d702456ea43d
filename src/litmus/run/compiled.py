"""`trainer.compile`: training steps whose forward and backward pass torch has compiled.

Compiling takes a CPU 5 to 60 s, and what it gives depends on network and machine: a step of `model=fnn` took as long as
before on two cores, one of `model=cnn` 1.8 times as long (`make bench ARGS=compiled`); other machines gave gains.
So `auto` measures: at the end of an epoch, where the rest of the training will take so long that the attempt costs it a
few hundredths at most.
"""

import copy
import logging
import statistics
import time
from collections.abc import Callable
from typing import Any, Literal, cast

import lightning.pytorch as lightning
import torch
from torch import Tensor, nn

from litmus import console
from litmus.callback.checkpoint import callbacks_of
from litmus.config.protocols import Task
from litmus.config.types import Section
from litmus.errors import UserError, first_line
from litmus.run.limits import limits_of
from litmus.spec import Tokens
from litmus.trainer import device_name

log = logging.getLogger(__name__)

BACKEND = "inductor"
LEAST_S = 1800  # that the rest of a training takes, where compiling is tried: more than 30 times what the attempt costs
GAIN = 0.95  # the part of a step's time that a compiled one must take at most, to be chosen
NUM_BATCHES = 4  # that are kept, to be measured with
NUM_LOOKS = 20  # batches at the beginning of an epoch that say how long it takes: a short training asks no more
ROUNDS = 5  # of these batches, each way
MOST_ON_GRAPHS = 10_000_000  # parameters of a network whose steps are so short that starting a GPU's kernels decides


class Compiled:
    """A network's forward pass, compiled; it runs as it is where nobody trains, or somebody looks inside.

    Whoever examines a step (the doctor, the dashboard) puts hooks on layers, which compiled code passes by.
    A batch of another shape, such as the last one of an epoch, would be compiled once more.

    Args:
        net: the network.
        is_constant: whether all batches but the last have the same shape; else code for any shape is compiled.
        on_graphs: whether the steps of a small network may be recorded as CUDA graphs.
    """

    def __init__(self, net: nn.Module, is_constant: bool, on_graphs: bool) -> None:
        self.net = net
        self.is_constant = is_constant
        self._modules = list(net.modules())
        self._own_hooks = self._num_hooks()
        self._shape: torch.Size | None = None
        graphs = on_graphs and is_constant and sum(p.numel() for p in net.parameters()) <= MOST_ON_GRAPHS
        self._on_graphs = graphs
        self._compiled: Callable[..., Any] = torch.compile(
            net._call_impl,
            backend=BACKEND,
            dynamic=not is_constant,
            mode="reduce-overhead" if graphs and BACKEND == "inductor" else None,
        )

    def _num_hooks(self) -> int:
        return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in self._modules)

    def __call__(self, x: Tensor) -> Any:
        if not (self.net.training and torch.is_grad_enabled()) or self._num_hooks() != self._own_hooks:
            return self.net._call_impl(x)
        if self._shape is None or len(x) > self._shape[0]:  # a process may begin with the last batch of an epoch
            self._shape = x.shape
        if self.is_constant and x.shape != self._shape:
            return self.net._call_impl(x)
        if self._on_graphs:
            torch.compiler.cudagraph_mark_step_begin()  # the last step's outputs may be written over
        return self._compiled(x)


class Compiler(lightning.Callback):
    """Compiles the network before the training, or after an epoch where that pays.

    Args:
        trainer: the section of the configuration.

    Attributes:
        is_on: whether the network is compiled; None while that is open.
        device: the name of what it was found for, empty where that is not known.
    """

    state_key = "compiler"  # Lightning's own is composed anew at every hook

    def __init__(self, trainer: Section) -> None:
        self.setting: bool | Literal["auto"] = trainer["compile"]
        self.is_on: bool | None = None if self.setting == "auto" else self.setting
        self._is_deterministic: bool = trainer["deterministic"]
        self.device = ""  # that `is_on` was found for
        self._inputs: list[Tensor] = []
        self._began: float | None = None  # of an epoch that this process began

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        device = device_name(trainer.strategy.root_device.type)
        if trainer.world_size > 1:
            device = f"{trainer.world_size} x {device}"  # one of them that resumes measures anew
        if self.setting == "auto" and self.device not in ("", device):
            self.is_on = None  # it was measured on another one
        self.device = device
        if self.is_on is None and self._is_deterministic:  # two trainings might measure, and choose, differently
            self.is_on = False
        if self.setting == "auto" and trainer.world_size > 1:  # whatever one process found
            self.is_on = False
            log.info("trainer.compile=auto: not tried with several processes")
        if self.is_on:
            if self.setting == "auto":
                console.say("trainer.compile=auto: compiled, as before")
            self._compile(trainer, pl_module)

    def _compile(self, trainer: lightning.Trainer, task: lightning.LightningModule) -> None:
        net = _net_of(task)
        if any(isinstance(module, nn.RNNBase) for module in net.modules()):
            console.say("trainer.compile: torch's compiler leaves recurrent layers as they are")
        net._compiled_call_impl = self._compiled(net, trainer, task)

    def _compiled(self, net: nn.Module, trainer: lightning.Trainer, task: lightning.LightningModule) -> Compiled:
        # Gradients that several batches add up would lie in a graph's own memory, which the next batch writes over.
        on_graphs = trainer.strategy.root_device.type == "cuda" and trainer.accumulate_grad_batches == 1
        return Compiled(net, _is_constant(task), on_graphs)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """What tests, exports and is kept is the network as it is."""
        _net_of(pl_module)._compiled_call_impl = None

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        _net_of(pl_module)._compiled_call_impl = None

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        self._inputs, self._began = [], limits_of(trainer).trained_s()

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        looks = self.is_on is None and batch_idx < NUM_LOOKS and len(self._inputs) < NUM_BATCHES
        if looks and self._may_be_tried(trainer, batch_idx):
            self._inputs.append(batch[0])

    def _may_be_tried(self, trainer: lightning.Trainer, done: int) -> bool:
        """Whether the training may take long enough, by the batches that are done of this epoch: they are kept then."""
        epochs = (trainer.max_epochs or 1) - trainer.current_epoch
        limits = limits_of(trainer)
        per_batch = (limits.trained_s() - (self._began or 0.0)) / max(done, 1)
        return min(per_batch * float(trainer.num_training_batches) * epochs, limits.left_s()) >= LEAST_S

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Decides, after the first whole epoch of this process."""
        inputs, self._inputs = self._inputs, []
        if self.is_on is not None or not inputs or self._began is None:
            return
        epochs = (trainer.max_epochs or 1) - trainer.current_epoch - 1
        limits = limits_of(trainer)  # whose clock leaves out what trains nothing, such as the baselines
        if min(epochs * (limits.trained_s() - self._began), limits.left_s()) < LEAST_S:
            return
        self.is_on = self._pays(trainer, pl_module, inputs)
        if self.is_on:
            self._compile(trainer, pl_module)

    def _pays(self, trainer: lightning.Trainer, task: lightning.LightningModule, inputs: list[Tensor]) -> bool:
        """Measures forward and backward passes of a copy of the network, as it is and compiled; says what it found."""
        device = trainer.strategy.root_device
        net = copy.deepcopy(_net_of(task)).train()
        begin = time.perf_counter()

        def step(x: Tensor) -> float:
            if device.type == "cuda":
                torch.cuda.synchronize()
            start = time.perf_counter()
            with trainer.precision_plugin.train_step_context():
                outputs = net(x)
            torch.stack([each.float().square().mean() for each in tensors(outputs)]).sum().backward()
            if device.type == "cuda":
                torch.cuda.synchronize()
            return time.perf_counter() - start

        def median() -> float:
            for x in inputs:
                step(x)  # what is done once, is not measured
            return statistics.median(step(x) for _ in range(ROUNDS) for x in inputs)

        with torch.random.fork_rng(), torch.enable_grad(), console.doing("compiling the network, to see if that pays"):
            try:
                before = median()
                net._compiled_call_impl = self._compiled(net, trainer, task)
                after = median()
            except torch.OutOfMemoryError:  # for a second network; the training has enough without
                console.say("trainer.compile=auto: not compiled, there is no memory to try it")
                return False
            except Exception as error:
                if not _is_the_compiler_s(error):
                    raise
                console.say(f"trainer.compile=auto: not compiled, torch could not: {first_line(error)}", wrap=True)
                return False
        pays = after < GAIN * before
        console.say(
            f"trainer.compile=auto: {'' if pays else 'not '}compiled; a step's passes take {1000 * after:.3g} ms "
            f"compiled, {1000 * before:.3g} ms as they are ({time.perf_counter() - begin:.0f} s to measure)",
            wrap=True,
        )
        return pays

    def state_dict(self) -> Section:
        return {"is_on": self.is_on, "device": self.device}

    def load_state_dict(self, state_dict: Section) -> None:
        if self.setting == "auto" and self.is_on is None:
            self.is_on, self.device = state_dict["is_on"], state_dict.get("device", "")


def is_compiled(trainer: lightning.Trainer) -> bool:
    """Whether the last steps of a training were compiled ones."""
    return any(isinstance(each, Compiler) and each.is_on for each in callbacks_of(trainer))


def explained(error: BaseException) -> BaseException:
    """A failure of torch's compiler as a sentence; any other error as it is."""
    if not isinstance(error, Exception) or not _is_the_compiler_s(error):
        return error
    reason = first_line(error).rstrip(".")
    told = UserError(f"torch could not compile the network: {reason}. trainer.compile=false trains without.")
    return told.with_traceback(error.__traceback__)


def tensors(output: object) -> list[Tensor]:
    """Those of a network's output that gradients flow through, wherever they are in it."""
    if isinstance(output, Tensor):
        return [output] if output.is_floating_point() else []
    inner = output.values() if isinstance(output, dict) else output if isinstance(output, list | tuple) else ()
    return [tensor for each in inner for tensor in tensors(each)]


def _net_of(task: lightning.LightningModule) -> nn.Module:
    return cast(nn.Module, cast(Task, task).net)


def _is_constant(task: lightning.LightningModule) -> bool:
    """Whether batches have the same shape; those of texts are as long as their longest."""
    return not isinstance(cast(Task, task).net.spec.input, Tokens)


def _is_the_compiler_s(error: BaseException) -> bool:
    """Whether torch's compiler raised it; without importing that, as it has been where it did."""
    return any(each.__module__.startswith(("torch._dynamo", "torch._inductor")) for each in type(error).__mro__)
