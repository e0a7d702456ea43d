"""What the doctor proposes, tried: each proposal trained on the same seeds as the run's own setting."""

import math
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from litmus.compare.statistics import Summary, summarize
from litmus.config.epochs import passes_for
from litmus.config.types import Section
from litmus.config.validate import override
from litmus.errors import EXIT_STATUS, UserError
from litmus.record.command import replaced
from litmus.record.files import slug
from litmus.record.folder import ENDED, REQUESTED, RunDir
from litmus.record.metrics import mode_of, monitored_in

TRIED = "tried"  # folder below the run's, of the runs that try
SHORT_S = 60.0  # that a training may take; longer ones are cut to fewer epochs
AS_IT_WAS = "as it was"
STANDARD_ERROR = 2  # its descriptor


@dataclass(frozen=True)
class Tried:
    """A setting that was trained.

    Attributes:
        name: the overrides that were proposed, or `AS_IT_WAS`.
        metrics: of the trainings that ended, by seed.
        failure: why some are missing, or all; None where none is.
    """

    name: str
    metrics: Mapping[int, Section]
    failure: str | None = None


@dataclass(frozen=True)
class Row:
    """What came of a setting.

    Attributes:
        name: as that of `Tried`.
        values: of the metric that decides, by seed.
        gain: of the differences to the setting as it was, on the same seeds, above 0 where this one is better.
        verdict: in words; empty for the setting as it was.
    """

    name: str
    values: Mapping[int, float]
    gain: Summary
    verdict: str

    @property
    def mean(self) -> float:
        """NaN where nothing was measured."""
        return summarize(list(self.values.values())).mean


def epochs_to_try(config: Section, result: Section) -> int:
    """As many epochs as the run had, or as many as take about a minute."""
    passes: int = config["trainer"]["max_epochs"]
    seconds, done = (result.get("seconds") or {}).get("fit") or 0.0, result["epochs"] or 1
    short = max(2, math.floor(SHORT_S / max(seconds / done, 1e-9)))
    return min(passes, passes_for(short, config["trainer"]))


def train(
    run: RunDir, words: Sequence[str], proposals: Sequence[str], seeds: int, epochs: int, as_json: bool
) -> list[Tried]:
    """Trains the setting, and each proposal on top of it, on so many seeds.

    Args:
        run: the folder, below which they are trained.
        words: the setting, as one types it.
        proposals: overrides, one after another with a space between.
        seeds: how many; those that were trained before are not trained again.
        epochs: of each training; a proposal that sets them decides itself.
        as_json: whether standard output is for a program: the sweeps write to standard error then.

    Returns:
        The setting as it was, then the proposals.

    Raises:
        KeyboardInterrupt: a training was interrupted.
    """
    found = []
    for proposal in ["", *proposals]:
        own = proposal.split()
        folder = run.path / TRIED / slug(proposal or AS_IT_WAS)
        length = [] if any(word.startswith("trainer.max_epochs=") for word in own) else [f"trainer.max_epochs={epochs}"]
        earlier = len(list(folder.glob(f"*/{REQUESTED}")))  # a sweep is refused that lacks jobs of an earlier one
        every = f"seed={','.join(map(str, range(max(seeds, earlier))))}"
        typed = [*replaced(words, [*own, *length, every]), override("hydra.sweep.dir", str(folder))]
        command = [sys.executable, "-P", "-m", "litmus", "train", "-m", *typed]
        done = subprocess.run(command, check=False, stdout=STANDARD_ERROR if as_json else None)
        if done.returncode == EXIT_STATUS["interrupted"]:
            raise KeyboardInterrupt
        found.append(_tried(proposal or AS_IT_WAS, folder, seeds, done.returncode))
    return found


def _tried(name: str, folder: Path, seeds: int, status: int) -> Tried:
    """What a sweep left behind. One whose jobs diverged has an answer; what lies there of one that was refused is none.

    Args:
        name: of the setting.
        folder: of the sweep.
        seeds: that count.
        status: with which it exited.
    """
    if status not in (EXIT_STATUS["finished"], EXIT_STATUS["failed"]):
        return Tried(name, {}, f"the sweep was refused, as said above. Its folder is {folder}.")
    results = [RunDir(path.parent).read_result() or {} for path in sorted(folder.glob("*/result.json"))]
    ended = {result["seed"]: result["metrics"] for result in results if result.get("status") in ENDED}
    metrics = {seed: ended[seed] for seed in range(seeds) if seed in ended}
    missing = f"{seeds - len(metrics)} of {seeds} trainings did not end: see train.log in the folders in {folder}."
    return Tried(name, metrics, missing if len(metrics) < seeds else None)


def compared(tried: Sequence[Tried], task_target: str, judged_by: str | None = None) -> tuple[str, str, list[Row]]:
    """The metric that decides, `max` or `min`, and what came of each setting; the first is the one as it was.

    Args:
        tried: the settings.
        task_target: see `record.metrics.monitored`.
        judged_by: a metric of the task, without its split, that is to decide; the monitored one where it is None.

    Raises:
        UserError: no training has come to an end.
    """
    measured = {name for each in tried for own in each.metrics.values() for name in own}
    metric, mode = monitored_in(task_target, measured)
    if judged_by is not None and f"val/{judged_by}" in measured:
        metric, mode = f"val/{judged_by}", mode_of(judged_by)
    values = [
        {seed: float(own[metric]) for seed, own in each.metrics.items() if own.get(metric) is not None}
        for each in tried
    ]
    if not any(values):
        raise UserError("None of the trainings came to an end.")
    sign, before, rows = 1 if mode == "max" else -1, values[0], []
    for each, own in zip(tried, values, strict=True):
        gain = summarize([sign * (own[seed] - before[seed]) for seed in own if seed in before])
        verdict = "" if each is tried[0] else _verdict(own, gain, ended_early=bool(tried[0].metrics) and not before)
        rows.append(Row(each.name, own, gain, verdict))
    return metric, mode, rows


def _verdict(own: Mapping[int, float], gain: Summary, ended_early: bool) -> str:
    if not own:
        return "no result"
    if not gain.n:
        return "better than a run that ended early" if ended_early else "cannot be compared"
    if gain.half_width is None:
        return "one seed shows no interval"
    if abs(gain.mean) <= gain.half_width:
        return "no difference shown"
    return "helps" if gain.mean > 0 else "makes it worse"


def cells(row: Row, seeds: int) -> tuple[str, str, str, str]:
    """A row as the screen shows it: name, mean, mean gain with its 95 % interval, verdict."""
    few = f" ({len(row.values)} of {seeds} seeds)" if len(row.values) < seeds else ""
    mean = f"{row.mean:.4g}{few}" if row.values else "(none)"
    if not row.verdict or not row.gain.n:
        return row.name, mean, "", row.verdict
    half_width = "" if row.gain.half_width is None else f" ± {row.gain.half_width:.2g}"
    return row.name, mean, f"{row.gain.mean:+.4g}{half_width}", row.verdict


def plain(row: Row) -> Section:
    """A row as JSON has it."""
    gain = row.gain if row.verdict and row.gain.n else None
    return {
        "tried": row.name,
        "values": {str(seed): value for seed, value in row.values.items()},
        "mean": row.mean if row.values else None,
        "gain": gain and gain.mean,
        "half_width": gain and gain.half_width,
        "verdict": row.verdict,
    }
