"""Hydra's sweeper for `-m`: makes the jobs of a grid or a search, and has each run once."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict

from hydra_plugins.litmus_launcher import LitmusLauncher

if TYPE_CHECKING:
    from litmus.config.types import Section
    from litmus.sweep.pool.source import Source

LAUNCHER_KEYS = ("hydra/launcher=", "hydra.launcher.")  # how overrides of a launcher begin, without a +


@dataclass
class Config:
    """The configuration of `hydra/sweeper=litmus`; `sweep=` decides which jobs there are."""

    _target_: str = "hydra_plugins.litmus_sweeper.LitmusSweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="litmus", node=Config, provider="litmus")


class LitmusSweeper(Sweeper):
    """Composes every job of a grid before the first one starts, so that a mistake is answered at once."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        self.hydra: DictConfig = config.hydra
        self.section: DictConfig = config.sweep
        self.loader = hydra_context.config_loader
        self.launcher_name = str(config.hydra.runtime.choices["hydra/launcher"])
        if (ray := OmegaConf.select(config, "hydra.launcher.ray.init")) is not None:
            with open_dict(ray):
                ray.setdefault("object_store_memory", None)  # or the launcher sets one, which a running cluster refuses
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> NoReturn:
        """Runs the sweep, and ends the process with its exit status.

        Raises:
            UserError: a job cannot be composed, or a folder holds another run.
        """
        from litmus import console
        from litmus.run import header

        header.sweep(str(self.hydra.runtime.choices.sweep), arguments)  # at once; the jobs take a while to compose

        from litmus.compose.sweep import Composer
        from litmus.sweep.pool import session

        folder = Path(self.hydra.sweep.dir)
        section: Section = OmegaConf.to_container(self.section, resolve=True)  # type: ignore[assignment]  # a dict
        conf = next(source.path for source in self.hydra.runtime.config_sources if source.provider == "main")
        composer = Composer(self.loader, Path(conf))
        overrides = composer.select_for_jobs(arguments)
        of_launcher = [each for each in self.hydra.overrides.hydra if each.lstrip("+").startswith(LAUNCHER_KEYS)]
        source, screen = session.make_source(section), console.Screen(highlight=False)
        if isinstance(self.launcher, LitmusLauncher):
            with session.locked(folder, screen, source.shared) as lock, self.launcher.serving(lock) as start_server:
                with console.doing("composing the jobs"):
                    base = source.start(folder, overrides, composer)
                session.write_overrides(folder, [*arguments, *of_launcher])
                status = self.launcher.run(source, base, start_server, screen)
        else:
            session.check_launcher(source, arguments, self.launcher_name)
            with session.locked(folder, screen):
                with console.doing("composing the jobs"):
                    source.start(folder, overrides, composer)
                session.write_overrides(folder, [*arguments, *of_launcher])
                status = self._launch(source, folder)
        sys.exit(status)

    def _launch(self, source: "Source", folder: Path) -> int:
        """Runs the remaining jobs with another of Hydra's launchers; each job skips itself if it has ended before."""
        from litmus.sweep.pool import session

        # As overrides, because a job that is composed elsewhere has nothing else; and the complete path, because a
        # process on another machine may start in another folder.
        sweep_dir = f"hydra.sweep.dir={QuotedString(str(folder.resolve()), Quote.single).with_quotes()}"
        assert self.launcher is not None  # see `setup`
        jobs = [[*job.all_overrides, sweep_dir, f"hydra.sweep.subdir={job.folder.name}"] for job in source.remaining]
        returned, error, stopped = [], None, False
        try:
            if jobs:
                returned = [str(each.return_value) for each in self.launcher.launch(jobs, initial_job_idx=0)]
        except (KeyboardInterrupt, SystemExit):
            stopped = True
        except Exception as raised:  # a job's process died, or the launcher has nothing to launch on
            error = f"hydra/launcher={self.launcher_name} failed: {type(raised).__name__}: {raised}"
        return session.summarize_launched(source, folder, returned, error, stopped)
