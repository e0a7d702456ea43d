"""How a run trains: device, processes, precision. One function serves every choice of `trainer=`."""

import os
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, cast

import lightning.pytorch as lightning
import torch
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.strategies import DDPStrategy

from litmus.config.launch import Launch, launched
from litmus.config.preflight import NEEDS_GPU, NO_GPU
from litmus.config.types import Count, Duration, Interval, Positive, Section
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.parallel.batch_norm import SharedStatistics
from litmus.parallel.sharding import Sharding
from litmus.record.checkpoint import save
from litmus.record.folder import RunDir

# That a process waits for another, which may be writing a large checkpoint; one that has ended ends the run at once.
PATIENCE = timedelta(minutes=30)
FIRST_TF32 = 8  # major compute capability of NVIDIA's Ampere
WORKSPACE = ":4096:8"  # with which cuBLAS gives the same digits each time; Lightning sets the same
STEP_HOOKS = (
    "on_train_batch_start",
    "on_train_batch_end",
    "on_before_zero_grad",
    "on_before_backward",
    "on_after_backward",
    "on_before_optimizer_step",
)
Precision = Literal[32, "bf16-mixed", "16-mixed"]


class _WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are written whole or not at all; Lightning's base class for that is undocumented."""

    def save_checkpoint(self, checkpoint: Section, path: str | Path, storage_options: Any | None = None) -> None:
        save(checkpoint, Path(path))


class _NoProfiler(Profiler):
    """Measures nothing, in no time: Lightning's own makes sixty context managers a step."""

    nothing: nullcontext[None] = nullcontext()

    def start(self, action_name: str) -> None: ...

    def stop(self, action_name: str) -> None: ...

    def profile(self, action_name: str) -> nullcontext[None]:  # type: ignore[override]  # Lightning's is a generator's
        return self.nothing


@dataclass(frozen=True)
class Hardware:
    """What a run trains on, and why, for the screen and `result.json`.

    Attributes:
        accelerator: Lightning's name: "cpu", "cuda" or "mps".
        devices: how many on each machine, which is also the number of processes there.
        precision: Lightning's name.
        reason: for the precision.
        num_nodes: machines.
    """

    accelerator: str
    devices: int
    precision: Precision
    reason: str
    num_nodes: int = 1

    @property
    def num_processes(self) -> int:
        """On all machines."""
        return self.devices * self.num_nodes


@checked
def build(
    run: RunDir,
    callbacks: list[lightning.Callback],
    loggers: list[Logger],
    *,
    accelerator: Literal["auto", "cpu", "gpu"],
    devices: Count,
    num_nodes: Count,
    strategy: Literal["auto", "ddp", "fsdp"],
    precision: Literal["auto", 32, "bf16-mixed", "16-mixed"],
    max_epochs: Count,
    max_steps: Count | None,  # noqa: ARG001  # see `run.limits`
    max_time: Duration | None,  # noqa: ARG001
    accumulate_grad_batches: Count,
    val_check_interval: Interval | None,  # noqa: ARG001  # see `config.epochs`
    gradient_clip: Positive | None,
    limit_batches: Count | None,
    compile: bool | Literal["auto"],  # noqa: ARG001  # see `run.compiled`
    deterministic: bool,
    detect_anomaly: bool,
    tf32: bool,  # noqa: ARG001  # see `tune`
    on_divergence: Literal["stop", "skip", "rollback"],
) -> lightning.Trainer:
    """Lightning's trainer for a run, whose `precision` is resolved: see `pick_hardware`.

    Raises:
        UserError: a GPU is requested and there is none, or there are fewer than requested; several processes cannot
            agree to skip a step.
    """
    together = devices * num_nodes > 1
    if on_divergence != "stop" and together:
        raise UserError(f"trainer.on_divergence={on_divergence} needs a single process: with several, use stop.")
    if not torch.cuda.is_available():
        # Lightning sets this; each step of Adam then looks for NVIDIA's library again, in vain.
        os.environ["PYTORCH_NVML_BASED_CUDA_CHECK"] = "0"
    kind = find_device(accelerator, devices, precision)
    shared = [SharedStatistics()] if together and kind == "cpu" else []
    limits = dict.fromkeys(("limit_train_batches", "limit_val_batches", "limit_test_batches"), limit_batches)
    trainer = lightning.Trainer(
        default_root_dir=run.path,
        accelerator=kind,
        devices=devices,
        num_nodes=num_nodes,
        strategy=(Sharding if strategy == "fsdp" else DDPStrategy)(timeout=PATIENCE) if together else "auto",
        precision=cast(Precision, precision),
        max_epochs=max_epochs,
        accumulate_grad_batches=accumulate_grad_batches,
        gradient_clip_val=gradient_clip,
        # Saying no imports torch's compiler; another run of this process may have said yes.
        deterministic=deterministic or (False if torch.are_deterministic_algorithms_enabled() else None),
        detect_anomaly=detect_anomaly,
        sync_batchnorm=kind == "cuda" and together,  # torch has it for these GPUs alone
        callbacks=callbacks,
        logger=loggers or False,
        # Lightning's own choice goes by variables that interactive shells of SLURM have, too.
        plugins=[_WholeCheckpoints(), cluster_environment(launched() if together else None), *shared],
        profiler=_NoProfiler(),
        # Ours are faster, plainer, or not wanted.
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        **limits,
    )
    for callback in callbacks:
        _without_empty_hooks(callback)
    if together:
        _without_own_signals(trainer)
    return trainer


def _without_own_signals(trainer: lightning.Trainer) -> None:
    """Leaves SIGTERM to us, where several processes train together.

    Lightning's handler waits for all processes, in whatever these are doing then; and each of its steps waits for all
    once more, to ask whether one has received it.
    """
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]


def cluster_environment(launch: Launch | None) -> ClusterEnvironment:
    """What tells Lightning of the other processes: by whom they were started; None is a run by itself, or `run.ddp`."""
    if launch is None:
        return LightningEnvironment()
    if launch.launcher == "torchrun":
        return TorchElasticEnvironment()
    # Which Lightning takes to be missing from a command with --ntasks alone.
    os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(launch.devices))
    if nodes := os.environ.get("SLURM_STEP_NODELIST"):  # Lightning takes those of the whole job
        os.environ.setdefault("MASTER_ADDR", SLURMEnvironment.resolve_root_node_address(nodes))
    # Requeueing, it saves in a signal handler, which may hang; `record.signals` does that.
    return SLURMEnvironment(auto_requeue=False)


def _without_empty_hooks(callback: lightning.Callback) -> None:
    """Leaves out the hooks of a step that a callback inherits: Lightning passes over those that cannot be called.

    They do nothing, which takes it about a tenth of a small network's step.
    """
    for name in STEP_HOOKS:
        if name not in vars(callback) and getattr(type(callback), name) is getattr(lightning.Callback, name):
            setattr(callback, name, None)


def pick_hardware(trainer: Section, gains_from_bf16: bool) -> Hardware:
    """The device and precision that a run trains with, where that was left open.

    Args:
        trainer: the section of the configuration.
        gains_from_bf16: whether the network is faster with bf16 arithmetic.

    Raises:
        UserError: there is no such device.
    """
    devices, nodes, precision = trainer["devices"], trainer["num_nodes"], trainer["precision"]
    kind = find_device(trainer["accelerator"], devices, precision)
    if precision != "auto":
        return Hardware(kind, devices, cast(Precision, precision), "as requested", nodes)
    if not gains_from_bf16:
        return Hardware(kind, devices, 32, "this network does not gain from bf16", nodes)
    if not has_native_bf16(kind):
        return Hardware(kind, devices, 32, f"{device_name(kind)} has no native bf16", nodes)
    reason = f"{device_name(kind)} has native bf16, and this network gains from it"
    return Hardware(kind, devices, "bf16-mixed", reason, nodes)


def tune(settings: Section, kind: str, is_constant: bool = False) -> list[str]:
    """Sets how the GPUs of NVIDIA's that this process uses compute; on other devices nothing changes.

    TF32 is on unless it is switched off: it reads the factors of float32 products with 10 bits of mantissa instead of
    23, and adds up in float32, which makes them several times faster (NVIDIA A100 whitepaper, 2020). torch does so for
    convolutions by itself, and not for matrices; with `trainer.tf32=false` it does for neither.

    Args:
        settings: the section `trainer` of the configuration.
        kind: Lightning's name of the device.
        is_constant: whether convolutions have the same sizes in every step, so that trying their algorithms pays.

    Returns:
        What was set, a line each, to be shown.
    """
    if kind != "cuda":
        return []
    tf32, deterministic = settings["tf32"], settings["deterministic"]
    several = settings["devices"] * settings["num_nodes"] > 1
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    torch.backends.cudnn.benchmark = is_constant and not deterministic
    said = []
    if torch.cuda.get_device_capability()[0] >= FIRST_TF32:
        how = "TF32, 10 bits of mantissa instead of 23" if tf32 else "not in TF32"
        said.append(f"float32 products: {how} (trainer.tf32={str(tf32).lower()})")
    if torch.backends.cudnn.benchmark:
        said.append("convolutions: the fastest algorithm is tried out in the first steps (cudnn.benchmark)")
    if deterministic:
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = WORKSPACE
        said.append(f"deterministic: CUBLAS_WORKSPACE_CONFIG={WORKSPACE}, no cudnn.benchmark")
    if several:
        said.append("batch norm: statistics are those of all GPUs' samples together (SyncBatchNorm)")
    return said


def find_device(wanted: str, devices: int, precision: str | int) -> str:
    """Lightning's name for the device: "cpu", "cuda" or "mps".

    Raises:
        UserError: there is no such device, or not as many, or it cannot compute in that precision.
    """
    gpu = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else None
    if wanted == "gpu" and gpu is None:
        raise UserError(NO_GPU)
    if wanted == "cpu" or gpu is None:
        if precision == "16-mixed":
            raise UserError(NEEDS_GPU)
        return "cpu"
    available = torch.cuda.device_count() if gpu == "cuda" else 1
    if available < devices:
        raise UserError(f"trainer.devices={devices} requests more GPUs than this machine has: {available}.")
    return gpu


def has_native_bf16(accelerator: str) -> bool:
    """Whether the device multiplies bf16 in hardware; emulated bf16 is slower than float32."""
    if accelerator == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if accelerator == "mps":
        return False
    capabilities = torch.cpu.get_capabilities()
    return any(bool(capabilities.get(name)) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def device_name(accelerator: str) -> str:
    """The processor's or GPU's own name."""
    if accelerator == "cuda":
        return torch.cuda.get_device_name()
    if accelerator == "mps":
        return "Apple GPU"
    return str(torch.cpu.get_capabilities().get("cpu_name") or "CPU")
