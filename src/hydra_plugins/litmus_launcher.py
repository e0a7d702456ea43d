"""Hydra's launcher for `-m`: each job in a process of its own, forked from one that has imported torch.

Hydra imports its plugins for every command, so they import the rest of litmus only when they run.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from rich.console import Console

    from litmus.config.types import Section
    from litmus.sweep.pool.client import Server
    from litmus.sweep.pool.source import Source


@dataclass
class Config:
    """The configuration of `hydra/launcher=litmus`; how many jobs run at a time, and the like, are keys of `sweep`."""

    _target_: str = "hydra_plugins.litmus_launcher.LitmusLauncher"


ConfigStore.instance().store(group="hydra/launcher", name="litmus", node=Config, provider="litmus")


class LitmusLauncher(Launcher):
    """Runs the jobs of a source; see `litmus.sweep.pool`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.folder = Path(config.hydra.sweep.dir)

    def serving(self, lock: int) -> "AbstractContextManager[Callable[[], Server]]":
        """Starts the process that jobs are forked from; see `litmus.sweep.pool.session.serving`."""
        from litmus.sweep.pool import session

        return session.serving(lock)

    def run(self, source: "Source", base: "Section", start_server: "Callable[[], Server]", console: "Console") -> int:
        """Runs all jobs of the source; gives the exit status. See `litmus.sweep.pool.session.run`."""
        from litmus.sweep.pool import session

        return session.run(source, self.folder, base, start_server, console)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Fails: other sweepers make lists of overrides, but this launcher needs a source of jobs."""
        failed = JobReturn()
        failed.status = JobStatus.FAILED
        failed.return_value = RuntimeError("hydra/launcher=litmus needs hydra/sweeper=litmus.")
        return [failed]
