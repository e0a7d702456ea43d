"""What started this process as one of several of the same training: torchrun, or srun of SLURM.

Read from the variables that both set, without torch: what is wrong with a command is said before it is imported.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from litmus.config.types import Section
from litmus.errors import UserError

DEVICES, NODES = "trainer.devices", "trainer.num_nodes"


@dataclass(frozen=True)
class Launch:
    """The place of this process among those that were started together.

    Attributes:
        launcher: that started them.
        rank: number of this process, from 0.
        num_processes: all of them.
        local_rank: number of this process on its machine.
        devices: processes on each machine.
        num_nodes: machines.
        attempt: how often the launcher has started them again.
    """

    launcher: Literal["torchrun", "srun"]
    rank: int
    num_processes: int
    local_rank: int
    devices: int
    num_nodes: int
    attempt: int = 0

    @property
    def speaks(self) -> bool:
        """Whether it says what is wrong with a command: the first process of each machine, as each has a screen."""
        return self.local_rank == 0


def launched(environment: Mapping[str, str] = os.environ) -> Launch | None:
    """How this process was started with others; None where it is the only one.

    torchrun counts before srun, which may start one torchrun on each machine. A single task is no launch: interactive
    shells of SLURM have such variables, too.
    """
    try:
        found = _by_torchrun(environment) or _by_srun(environment)
    except (KeyError, ValueError):  # some of the variables, or other values: they were not set for this process
        return None
    return found if found is not None and found.num_processes > 1 else None


def _by_torchrun(environment: Mapping[str, str]) -> Launch | None:
    if "TORCHELASTIC_RUN_ID" not in environment:
        return None
    return Launch(
        "torchrun",
        int(environment["RANK"]),
        int(environment["WORLD_SIZE"]),
        int(environment["LOCAL_RANK"]),
        int(environment["LOCAL_WORLD_SIZE"]),
        int(environment["GROUP_WORLD_SIZE"]),
        int(environment.get("TORCHELASTIC_RESTART_COUNT", 0)),
    )


def _by_srun(environment: Mapping[str, str]) -> Launch | None:
    """Tasks of a job step.

    A batch script has most of the variables as well, with the number of tasks that it may start, and is one process.
    Lightning goes by the job's name, which is `bash` or `interactive` in a step of such a job, too.
    """
    is_script = environment.get("ENVIRONMENT") == "BATCH" and "SLURM_STEP_ID" not in environment
    if "SLURM_PROCID" not in environment or is_script:
        return None
    tasks = int(environment.get("SLURM_STEP_NUM_TASKS") or environment["SLURM_NTASKS"])
    nodes = int(environment.get("SLURM_STEP_NUM_NODES") or environment.get("SLURM_NNODES") or 1)
    rank, local_rank = int(environment["SLURM_PROCID"]), int(environment["SLURM_LOCALID"])
    return Launch("srun", rank, tasks, local_rank, tasks // nodes, nodes)


def with_launch(arguments: list[str]) -> list[str]:
    """Adds the numbers of processes and machines, where a launcher has started several and they are not typed.

    Raises:
        UserError: what was typed starts processes of its own.
    """
    launch = launched()
    if launch is None:
        return arguments
    if {"-m", "--multirun"} & set(arguments) or "hydra.mode=MULTIRUN" in arguments:
        raise UserError(
            f"-m starts the processes of its jobs itself, and {launch.launcher} has started {launch.num_processes}. "
            f"Type the command without {launch.launcher}."
        )
    keys = _keys(arguments)
    if launch.attempt and "resume" not in keys:
        raise UserError("torchrun has started the processes again, which would train anew: type resume=FOLDER.")
    if "reproduce" in keys:  # takes no key of a training: `launch_mistakes` compares what the run has
        return arguments
    return [*arguments, *launch_words(arguments)]


def launch_words(arguments: list[str]) -> list[str]:
    """The numbers of processes and machines that a launcher has started, where they are not among the arguments."""
    if (launch := launched()) is None:
        return []
    keys = _keys(arguments)
    started = ((DEVICES, launch.devices), (NODES, launch.num_nodes))
    is_resumed = "resume" in keys  # of a run that may have had others
    return [f"{key}={number}" for key, number in started if key not in keys and (number > 1 or is_resumed)]


def alone(trainer: Section) -> Section:
    """The section `trainer` of a configuration for one process, however many the run has."""
    return {**trainer, "devices": 1, "num_nodes": 1, "strategy": "auto"}


def without_machines(words: Iterable[str]) -> list[str]:
    """Overrides without the number of machines, which is a launcher's to add: without one, it is refused."""
    return [word for word in words if not _keys([word]) & {NODES}]


def _keys(words: Iterable[str]) -> set[str]:
    return {word.partition("=")[0].lstrip("+") for word in words}


def launch_mistakes(devices: int, num_nodes: int) -> list[str]:
    """Sentences on what does not fit how this process was started.

    Args:
        devices: that are requested, on each machine.
        num_nodes: machines that are requested.
    """
    launch = launched()
    if launch is None:
        return [] if num_nodes == 1 else [_needs_launcher(devices, num_nodes)]
    by = launch.launcher
    if launch.devices * launch.num_nodes != launch.num_processes:
        many = f"{launch.num_processes} processes on {launch.num_nodes} machines"
        return [f"{by} has started {many}: each has to have as many as the others."]
    wrong = []
    if devices != launch.devices:
        wrong.append(f"{DEVICES}={devices}, but {by} has started {launch.devices} on each machine: start as many.")
    if num_nodes != launch.num_nodes:
        wrong.append(f"{NODES}={num_nodes}, but {by} has started processes on {launch.num_nodes}: start as many.")
    return wrong


def _needs_launcher(devices: int, num_nodes: int) -> str:
    many = f"--nnodes {num_nodes} --nproc-per-node {devices} --rdzv-backend c10d --rdzv-endpoint HOST:29400"
    return (
        f"{NODES}={num_nodes} needs a launcher on each machine: torchrun {many} train.py ..., or srun "
        f"--nodes={num_nodes} --ntasks-per-node={devices} python train.py ..."
    )
