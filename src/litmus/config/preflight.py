"""What the configuration and the file system show before torch is imported and before there is a run folder.

A dataset or network whose settings name files has a function of its own name in the `_preflight.py` beside its module,
which imports no torch. It takes the settings, and raises a UserError about what is missing or wrong; the class itself
calls the same functions.
"""

import functools
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from litmus.config.fit import TASKS, Kinds, fits, kinds_of_data, kinds_of_model, refusal, settled_task
from litmus.config.instantiate import import_module, settings
from litmus.config.keys import choice, flat
from litmus.config.launch import launch_mistakes
from litmus.config.plugins import find_spec
from litmus.config.types import MIXING, USUAL_BATCH, Section
from litmus.config.validate import class_attributes
from litmus.errors import UserError

NO_GPU = "trainer.accelerator=gpu, but there is no GPU here. Use trainer=auto or trainer=cpu."
NO_MATRICES = "optimizer=muon trains matrices between layers, and this network has none. Use optimizer=adamw."
NO_SHARDS = (
    "optimizer=adafactor sums up rows and columns, which trainer.strategy=fsdp divides among the processes. Use "
    "optimizer=adamw or optimizer=lion."
)
NEEDS_GPU = "trainer.precision=16-mixed needs a GPU; on a CPU use bf16-mixed, 32 or auto."
# Devices of Linux that NVIDIA's, AMD's and Windows' drivers for GPUs make.
GPU_DEVICES = ("nvidia*", "nvhost*", "nvgpu*", "kfd", "dxg")


def preflight(config: Section, resumed: bool = False) -> list[str]:
    """Sentences on all that would end a run on this machine before its first step.

    Args:
        config: whole, plain values, without `mistakes`.
        resumed: whether a checkpoint has the weights, so that the files of pretrained ones are not needed again.
    """
    wrong = job_mistakes(config, ("data",) if resumed else ("model", "data"))
    return [*wrong, *_device_mistakes(config["trainer"]), *_said(lambda: check_batch_size(config))]


def _strategy_mistakes(trainer: Section, optimizer: str) -> list[str]:
    strategy = trainer["strategy"]
    if strategy != "auto" and num_processes(trainer) == 1:
        several = "set trainer.devices=2, or use torchrun or srun"
        return [f"trainer.strategy={strategy} is for several processes: {several}. auto takes any number."]
    if strategy == "fsdp" and trainer["precision"] == "16-mixed":
        return ["trainer.strategy=fsdp does not scale float16's gradients. Use trainer.precision=bf16-mixed."]
    if strategy == "fsdp" and trainer["compile"] is True:
        return [
            "trainer.compile=true cannot compile a network in shards, whose weights are gathered layer by layer. Use "
            "trainer.compile=false or trainer.strategy=ddp."
        ]
    return [NO_SHARDS] if strategy == "fsdp" and optimizer == "adafactor" else []


def num_processes(trainer: Section) -> int:
    """How many processes train together, by the section of the configuration."""
    return int(trainer["devices"] * trainer["num_nodes"])


def check_batch_size(config: Section) -> None:
    """Checks that each process can take an equal part of a batch.

    Raises:
        UserError: the batch size is no multiple of their number.
    """
    trainer = config["trainer"]
    processes = num_processes(trainer)
    batch_size = config["data"].get("batch_size", processes) or USUAL_BATCH
    if batch_size != "auto" and batch_size % processes:
        nodes = f" on trainer.num_nodes={trainer['num_nodes']} machines" if trainer["num_nodes"] > 1 else ""
        raise UserError(
            f"data.batch_size={batch_size} cannot be divided evenly among trainer.devices={trainer['devices']} "
            f"processes{nodes}. Set data.batch_size={-(-batch_size // processes) * processes}."
        )


def job_mistakes(config: Section, groups: Sequence[str] = ("model", "data")) -> list[str]:
    """The same, without what depends on the machine; arguments as those of `data_mistakes`."""
    loggers = {choice(config["logger"], key): own for key, own in config["logger"].items() if own is not None}
    wrong = [wrong for name, section in loggers.items() for wrong in _files(name, section)]
    trainer, optimizer = config["trainer"], choice(config, "optimizer")
    wrong += launch_mistakes(trainer["devices"], trainer["num_nodes"]) or _strategy_mistakes(trainer, optimizer)
    return data_mistakes(config, groups) + wrong


def data_mistakes(config: Section, groups: Sequence[str] = ("model", "data")) -> list[str]:
    """What is wrong with a run's data, or with its network for that data; for some of the groups.

    Args:
        config: whole, plain values, without `mistakes`.
        groups: whose files are checked; with both, also whether the network takes the data.
    """
    wrong = [] if len(groups) == 1 else _misfit(config) or _combined_mistakes(config)
    wrong += [f"{key}: a name has to be UTF-8." for key, value in flat(config) if not _is_unicode(value)]
    # A network that does not take the data is not asked about the data's files.
    return wrong or [wrong for group in groups for wrong in _files(choice(config, group), config[group])]


def _combined_mistakes(config: Section) -> list[str]:
    """What is wrong with settings of several groups together, where the network takes the data."""
    checks = (_size_mistakes, _optimizer_mistakes, _mixing_mistakes)
    return [wrong for check in checks for wrong in check(config)]


def _misfit(config: Section) -> list[str]:
    name, data_name = choice(config, "model"), choice(config, "data")
    model, data = kinds_of_model(config["model"]["_target_"]), kinds_of_data(config["data"]["_target_"])
    if task := settled_task(config["data"]):
        data = Kinds(data.inputs, tuple(kind for kind in data.targets if TASKS[kind] == task))
    return [refusal(name, model, data_name, data)] if data.inputs and not fits(model, data) else []


def _size_mistakes(config: Section) -> list[str]:
    """Some networks take only images whose sides are multiples of a number, as their class says."""
    multiple = class_attributes(config["model"]["_target_"], ("multiple_of",)).get("multiple_of", 1)
    size = config["data"].get("size")
    if size is None or size % multiple == 0:
        return []
    return [
        f"model={choice(config, 'model')} requires images whose height and width are multiples of {multiple}, not "
        f"{size} x {size}. Set data.size={-(-size // multiple) * multiple}."
    ]


def _optimizer_mistakes(config: Section) -> list[str]:
    """One optimizer takes only networks with matrices between layers, as their classes say."""
    found = class_attributes(config["model"]["_target_"], ("has_hidden_matrices",))
    is_muon = choice(config, "optimizer") == "muon"
    return [NO_MATRICES] if is_muon and not found.get("has_hidden_matrices", True) else []


def _mixing_mistakes(config: Section) -> list[str]:
    """A network whose outputs are no probabilities cannot learn a mixed image's shares of two classes."""
    augment, target = config["data"].get("augment"), config["model"]["_target_"]
    estimates = class_attributes(target, ("predicts_probabilities",)).get("predicts_probabilities", True)
    if augment not in MIXING or estimates:
        return []
    return [
        f"data.augment={augment} makes images of two classes, and model={choice(config, 'model')} predicts no "
        "probabilities to share between them. Set data.augment=light."
    ]


def _is_unicode(value: object) -> bool:
    return not isinstance(value, str) or not any("\ud800" <= letter <= "\udfff" for letter in value)


def _files(name: str, section: Section) -> list[str]:
    return file_mistakes(section["_target_"], name, json.dumps(settings(section)))


@functools.cache  # most jobs of a sweep have the same
def file_mistakes(target: str, name: str, own: str) -> list[str]:
    """What a choice's own function finds wrong with its settings, given as JSON; cached."""
    package, *_ = target.rsplit(".", 2)
    module = f"{package}._preflight"
    if find_spec(module) is None:
        return []
    check = vars(import_module(module)).get(name)
    return [] if check is None else _said(lambda: check(json.loads(own)))


def _said(check: Callable[[], object]) -> list[str]:
    try:
        check()
    except UserError as error:
        return [str(error)]
    return []


def _device_mistakes(trainer: Section) -> list[str]:
    has_gpu = trainer["accelerator"] != "cpu" and may_have_gpu()
    if trainer["accelerator"] == "gpu" and not has_gpu:
        return [NO_GPU]
    return [NEEDS_GPU] if trainer["precision"] == "16-mixed" and not has_gpu else []


def may_have_gpu() -> bool:
    """False where there is none for sure; torch knows for certain, but takes seconds."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return False
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return sys.platform != "linux" or any(any(Path("/dev").glob(pattern)) for pattern in GPU_DEVICES)
