"""Hydra's launcher for `-m`: each job in a process of its own, forked from one that has imported torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class Config:
    """What `hydra/launcher=litmus` stands for; how many jobs run at a time, and so on, are keys of `sweep`."""

    _target_: str = "hydra_plugins.litmus_launcher.LitmusLauncher"


ConfigStore.instance().store(group="hydra/launcher", name="litmus", node=Config, provider="litmus")


class LitmusLauncher(Launcher):
    """Runs the jobs of a source: see `litmus.sweep`."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.folder = Path(config.hydra.sweep.dir)

    def serving(self, lock: int) -> Any:
        """In the body, the process that jobs are forked from gets ready. See `litmus.sweep.pool.session.serving`."""
        from litmus.sweep.pool import session

        return session.serving(lock)

    def run(self, source: Any, base: dict[str, Any], start: Any, console: Any) -> int:
        """Runs all jobs of the source; gives the exit status. See `litmus.sweep.pool.session.run`."""
        from litmus.sweep.pool import session

        return session.run(source, self.folder, base, start, console)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Hydra's way to launch, for sweepers that make lists of overrides; litmus' own hands over a source."""
        ended = JobReturn()
        ended.status = JobStatus.FAILED
        ended.return_value = RuntimeError("hydra/launcher=litmus goes with hydra/sweeper=litmus.")
        return [ended]
