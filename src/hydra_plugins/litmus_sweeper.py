"""Hydra's sweeper for `-m`: makes the jobs of a grid or a search, and sees that each runs once."""

import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from hydra_plugins.litmus_launcher import LitmusLauncher

LAUNCHERS = ("hydra/launcher=", "hydra.launcher.")  # what such words begin with, but for a +


@dataclass
class Config:
    """What `hydra/sweeper=litmus` stands for; which jobs there are is decided by `sweep=`."""

    _target_: str = "hydra_plugins.litmus_sweeper.LitmusSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="litmus", node=Config, provider="litmus")


class LitmusSweeper(Sweeper):
    """Composes every job before the first one starts, so that a mistake is answered at once."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra: Any = config.hydra
        self.section: Any = config.sweep
        self.loader: Any = hydra_context.config_loader
        self.chosen = str(config.hydra.runtime.choices["hydra/launcher"])
        if (ray := OmegaConf.select(config, "hydra.launcher.ray.init")) is not None:
            with open_dict(ray):
                ray.setdefault("object_store_memory", None)  # or the launcher sets one: no running cluster takes it
        self.launches: Any = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Runs the sweep, and ends the process with its exit status.

        Raises:
            UserError: a job cannot be composed, or a folder holds another run.
        """
        from rich.console import Console

        from litmus.compose.sweep import Composer, of_sweep
        from litmus.sweep.pool import session

        folder = Path(self.hydra.sweep.dir)
        section: dict[str, Any] = OmegaConf.to_container(self.section, resolve=True)  # type: ignore[assignment]  # a dict
        conf = next(source.path for source in self.hydra.runtime.config_sources if source.provider == "main")
        composer = Composer(self.loader, Path(conf))
        words = [word for word in composer.parser.parse_overrides(arguments) if not of_sweep(word)]
        source, console = session.source(section), Console(highlight=False)
        ours = isinstance(self.launches, LitmusLauncher)
        if not ours:
            session.refuse_elsewhere(source, arguments, self.chosen)
        with session.locked(folder, console) as lock, self.launches.serving(lock) if ours else nullcontext() as start:
            base = source.begin(folder, words, composer)
            launcher = [word for word in self.hydra.overrides.hydra if word.lstrip("+").startswith(LAUNCHERS)]
            session.remember(folder, [*arguments, *launcher])
            status = self.launches.run(source, base, start, console) if ours else self._elsewhere(source, folder)
        sys.exit(status)

    def _elsewhere(self, source: Any, folder: Path) -> int:
        """Runs the jobs that are left with another of Hydra's launchers: each sees for itself what is left of it."""
        from litmus.sweep.pool import session

        # Typed, because once composed elsewhere it could not be told from a job's words; whole, because a process of
        # another machine may stand elsewhere.
        where = f"hydra.sweep.dir={QuotedString(str(folder.resolve()), Quote.single).with_quotes()}"
        jobs = [[*job.words, where, f"hydra.sweep.subdir={job.folder.name}"] for job in source.left]
        said, error, stopped = [], None, False
        try:
            if jobs:
                said = [str(each.return_value) for each in self.launches.launch(jobs, initial_job_idx=0)]
        except (KeyboardInterrupt, SystemExit):
            stopped = True
        except Exception as raised:  # a job's process died, or the launcher has nothing to launch on
            error = f"hydra/launcher={self.chosen} gave up: {type(raised).__name__}: {raised}"
        return session.after(source, folder, said, error, stopped)
