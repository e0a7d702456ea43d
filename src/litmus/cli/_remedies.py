"""What the doctor proposes, tried: each proposal trained on the same seeds as the run's own setting."""

import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from litmus.compare.statistics import summarize
from litmus.config.types import Section
from litmus.config.validate import override
from litmus.errors import EXIT_STATUS, UserError
from litmus.record.folder import RunDir
from litmus.record.metrics import monitored_in

TRIED = "tried"  # folder below the run's, of the runs that try
SHORT_S = 60.0  # that a training may take; longer ones are cut to fewer epochs
AS_IT_WAS = "as it was"


def epochs_to_try(config: Section, result: Section) -> int:
    """As many epochs as the run had, or as many as take about a minute."""
    epochs: int = config["trainer"]["max_epochs"]
    seconds, done = (result.get("seconds") or {}).get("fit") or 0.0, result["epochs"] or 1
    return min(epochs, max(2, math.floor(SHORT_S / max(seconds / done, 1e-9))))


def train(run: RunDir, words: Sequence[str], proposals: Sequence[str], seeds: int, epochs: int) -> dict[str, Path]:
    """Trains the setting, and each proposal on top of it, on so many seeds; the folder of each.

    Args:
        run: the folder, below which they are trained.
        words: the setting, as one types it.
        proposals: overrides, one after another with a space between.
        seeds: how many.
        epochs: of each training; a proposal that sets them decides itself.

    Raises:
        KeyboardInterrupt: a training was interrupted.
    """
    found = {}
    for number, proposal in enumerate(["", *proposals]):
        own = proposal.split()
        keys = {word.partition("=")[0] for word in own} | {"seed", "trainer.max_epochs"}
        kept = [word for word in words if word.partition("=")[0] not in keys]
        length = [] if any(word.startswith("trainer.max_epochs=") for word in own) else [f"trainer.max_epochs={epochs}"]
        folder = run.path / TRIED / str(number)
        where = override("hydra.sweep.dir", str(folder))
        every = f"seed={','.join(map(str, range(seeds)))}"
        command = [sys.executable, "-P", "-m", "litmus", "train", "-m", *kept, *own, *length, every, where]
        if subprocess.run(command, check=False).returncode == EXIT_STATUS["interrupted"]:
            raise KeyboardInterrupt
        found[proposal or AS_IT_WAS] = folder
    return found


def rows(folders: dict[str, Path], task_target: str) -> tuple[str, list[tuple[str, str, str, str]]]:
    """The metric that decides, and of each proposal its mean, its gain over the setting as it was, and a verdict.

    The gain is the mean of the differences seed by seed, with its 95 % confidence interval by Student's t.

    Raises:
        UserError: no training of the setting as it was has come to an end.
    """
    results = {name: _results(folder) for name, folder in folders.items()}
    names = {metric for own in results.values() for metrics in own.values() for metric in metrics}
    metric, mode = monitored_in(task_target, names)
    values = {
        name: {seed: metrics[metric] for seed, metrics in own.items() if metrics.get(metric) is not None}
        for name, own in results.items()
    }
    before = values[AS_IT_WAS]
    found = []
    for name, own in values.items():
        shown = f"{median(own.values()):.4g}" if own else "(none finished)"
        if name == AS_IT_WAS:
            found.append((name, shown, "", ""))
            continue
        gains = [(own[seed] - before[seed]) * (1 if mode == "max" else -1) for seed in own.keys() & before.keys()]
        summary = summarize(gains)
        if summary.half_width is None:
            verdict = "better than a run that ended early" if own and not before else "cannot be compared"
            found.append((name, shown, "", verdict))
            continue
        certain = abs(summary.mean) > summary.half_width
        verdict = ("helps" if summary.mean > 0 else "makes it worse") if certain else "no difference shown"
        found.append((name, shown, f"{summary.mean:+.4g} ± {summary.half_width:.2g}", verdict))
    if not any(values.values()):
        raise UserError("None of the trainings came to an end: see train.log in their folders.")
    return metric, found


def _results(folder: Path) -> dict[int, Section]:
    """The metrics of a folder's runs, by seed."""
    runs = (RunDir(path.parent) for path in sorted(folder.glob("*/result.json")))
    results = (run.read_result() or {} for run in runs)
    return {result["seed"]: result["metrics"] for result in results if result}
