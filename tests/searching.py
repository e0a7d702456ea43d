"""Searches without training: made-up jobs, and curves in place of runs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
from helpers import CONF
from omegaconf import OmegaConf

from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.record.search import STUDY
from litmus.sweep.optuna import Optuna
from litmus.sweep.pool.job import Job, JobResult

SPACE = ["model.dropout=interval(0,0.6)", "optimizer.lr=tag(log,interval(1e-4,1e-1))"]
WIDTHS = "model.widths=choice([64],[128,64])"
EPOCHS = 9


class Composer:
    """Makes jobs without a configuration to speak of."""

    def __init__(self, task: str = "classification.Classification") -> None:
        self.task = task
        self.refused: set[int] = set()

    def job(self, overrides: list[str], own: list[str], number: int, folder: Path) -> Job:
        if number in self.refused:
            raise UserError("these do not go together")
        data = {"class": "mnist.MNIST", "regre": "series.Series", "detec": "mnist_boxes.MNISTBoxes"}[self.task[:5]]
        config = {
            "data": {"_target_": f"litmus.data.{data}"},
            "task": {"_target_": f"litmus.task.{self.task}"},
            "trainer": {"max_epochs": EPOCHS, "val_check_interval": None, "max_steps": None},
        }
        return Job(number, tuple(own), folder, config, {}, tuple(overrides))


def search(folder: Path, words: list[str] = SPACE, composer: Composer | None = None, **keys: Any) -> Optuna:
    """A search that has begun, with the values of its YAML."""
    defaults = OmegaConf.merge(
        OmegaConf.load(CONF / "sweep" / "_pool.yaml"), OmegaConf.load(CONF / "sweep/optuna.yaml")
    )
    section: dict[str, Any] = OmegaConf.to_container(defaults)
    section = {key: value for key, value in section.items() if key not in ("defaults", "_target_")}
    made = Optuna(**{**section, **keys})
    made.start(folder, words, composer or Composer())
    return made


def values_of(job: Job) -> dict[str, Any]:
    pairs = (word.partition("=") for word in job.overrides)
    return {key: float(value) if "[" not in value else value for key, _, value in pairs}


def accuracy(job: Job, epoch: int) -> float:
    """Best at dropout 0.2 and a learning rate of 0.01; comes near what it reaches in a few epochs."""
    found = values_of(job)
    lr, dropout = found.get("optimizer.lr", 0.01), found.get("model.dropout", 0.2)
    reached = 0.98 - 0.05 * math.log10(lr / 0.01) ** 2 - 0.5 * (dropout - 0.2) ** 2
    return reached * (1 - math.exp(-epoch))


def play(source: Optuna, most: float = math.inf, curve: Callable[[Job, int], float] = accuracy) -> list[Job]:
    """Runs jobs one after the other, as the pool would; of those that nothing prunes, the last epoch will do."""
    epochs = range(1, EPOCHS + 1) if source.prunes else [EPOCHS]
    jobs: list[Job] = []
    while len(jobs) < most and (job := source.next_job()) is not None:
        jobs.append(job)
        status, best = "finished", -math.inf
        for epoch in epochs:
            best = max(best, curve(job, epoch))
            if source.report_epoch(job, epoch, {"val/acc": curve(job, epoch), "val/loss": 1.0}):
                status = "pruned"
                break
        source.report_result(job, JobResult(status, {"val/acc": best, "val/loss": 1.0}))
    return jobs


def trials_in(folder: Path) -> list[optuna.trial.FrozenTrial]:
    (name,) = optuna.get_all_study_names(f"sqlite:///{folder / STUDY}")
    return optuna.load_study(study_name=name, storage=f"sqlite:///{folder / STUDY}").get_trials()


def write_run(job: Job, status: str, epochs: int, **metrics: float) -> None:
    """What a run leaves behind in its folder."""
    run = RunDir(job.folder)
    run.write_metrics([{"epoch": epoch, "step": epoch, **metrics} for epoch in range(1, epochs + 1)])
    kept = {name: value for name, value in metrics.items() if name.startswith("val/")}
    run.write_result({"status": status, "metrics": kept, "best_epoch": epochs, "error": None})


# What it proposes
