"""Hydra's sweeper for `-m`: makes the jobs of a grid or a search, and sees that each runs once."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from hydra_plugins.litmus_launcher import LitmusLauncher


@dataclass
class Config:
    """What `hydra/sweeper=litmus` stands for; which jobs there are is decided by `sweep=`."""

    _target_: str = "hydra_plugins.litmus_sweeper.LitmusSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="litmus", node=Config, provider="litmus")


class LitmusSweeper(Sweeper):
    """Composes every job before the first one starts, so that a mistake is answered at once."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.config = config
        self.loader = hydra_context.config_loader
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Runs the sweep, and ends the process with its exit status.

        Raises:
            Refused: a job's value is not allowed, or a folder holds another run.
            HydraException: a key or a choice does not exist.
        """
        from litmus.composing import Composer, of_sweep
        from litmus.sweep import _sweep

        folder = Path(self.config.hydra.sweep.dir)
        section: dict[str, Any] = OmegaConf.to_container(self.config.sweep, resolve=True)  # type: ignore[assignment]
        composer = Composer(self.loader, str(self.config.hydra.job.config_name))
        words = [word for word in composer.parser.parse_overrides(arguments) if not of_sweep(word)]
        source = _sweep.source(section)
        base = source.begin(folder, words, composer)
        _sweep.remember(folder, arguments)
        if isinstance(self.launcher, LitmusLauncher):
            sys.exit(self.launcher.run(source, base))
        sys.exit(self._elsewhere(source, folder))

    def _elsewhere(self, source: Any, folder: Path) -> int:
        """Runs the jobs that are left with another of Hydra's launchers: each sees for itself what is left of it."""
        from litmus.check import Refused
        from litmus.sweep import _sweep

        if not hasattr(source, "left"):
            raise Refused("sweep=optuna decides after every job which comes next: it needs hydra/launcher=litmus.")
        where = f"hydra.sweep.dir='{folder}'"  # once composed elsewhere, it could not be told from a job's words
        jobs = [[*job.words, where, f"hydra.sweep.subdir={job.folder.name}"] for job in source.left]
        stopped = False
        try:
            if jobs:
                self.launcher.launch(jobs, initial_job_idx=0)
        except (KeyboardInterrupt, SystemExit):
            stopped = True
        return _sweep.after(source, folder, stopped)
