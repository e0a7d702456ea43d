"""How a run ended, and what `result.json` says of it."""

import pickle
import signal
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException

from litmus.callback.meter import Meter
from litmus.config.keys import choice
from litmus.config.protocols import Data
from litmus.config.types import Section
from litmus.console import readable
from litmus.errors import Diverged, Interrupted, Pruned, UserError
from litmus.record.baselines import BASELINES, best_baseline
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.record.metrics import best_row
from litmus.report.facts import facts
from litmus.report.outputs import Gathering
from litmus.run.baselines import Measured
from litmus.run.build import Parts, hardware_for
from litmus.run.compiled import is_compiled
from litmus.run.diagnosis import examined
from litmus.run.divergence import divergence_of
from litmus.run.environment import git, versions
from litmus.trainer import Hardware, device_name

Traceback = Literal["nowhere", "log", "screen"]  # the screen, and the log


@dataclass(frozen=True)
class Outcome:
    """How a run ended: its status, as `result.json` has it, and why, if it did not finish.

    Attributes:
        refused: it ended with a sentence before its first step: there is nothing to keep.
    """

    status: str
    error: str | None
    refused: bool


@dataclass
class RunState:
    """How far a run has come: what its result says, however it ends.

    Attributes:
        config: as requested, then as resolved.
        data: once it is prepared.
        parts: once they are built.
        seconds: by part of the run.
        test: metrics.
        baselines: once they are measured.
        changes: see `litmus.run.changes`.
        tested: what was tested, if that is not `parts`.
        gathered: what the test gave.
        begun: whether it has come to the training: what a checkpoint holds was restored by then.
    """

    config: Section
    data: Data | None = None
    parts: Parts | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)
    baselines: Measured = field(default_factory=Measured)
    changes: list[Section] = field(default_factory=list)
    tested: Parts | None = None
    gathered: Gathering | None = None
    begun: bool = False


@dataclass(frozen=True)
class Ending:
    """The end of a run.

    Attributes:
        status: finished, pruned, diverged, interrupted or failed.
        sentence: why, unless it finished.
        traceback: where the traceback goes.
        received: the signal that interrupted it.
    """

    status: str
    sentence: str | None = None
    traceback: Traceback = "nowhere"
    received: signal.Signals | None = None


class EndingRule(NamedTuple):
    """What an exception means for a run; see `ENDINGS`."""

    exceptions: tuple[type[BaseException], ...]
    status: str
    sentence: Callable[[BaseException], str]
    traceback: Traceback


def signal_of(error: BaseException) -> signal.Signals:
    """The signal that raised it. Lightning's own exception comes at an epoch's end, before our callback looks."""
    if isinstance(error, Interrupted):
        return error.received
    return signal.SIGTERM if isinstance(error, SIGTERMException) else signal.SIGINT


# The first rule that fits decides. Exit statuses follow from the status, in the launching process, too, which imports
# nothing of this: `litmus.errors.EXIT_STATUS`.
ENDINGS = (
    EndingRule(
        (Interrupted, KeyboardInterrupt, SIGTERMException),
        "interrupted",
        lambda error: f"stopped by {signal_of(error).name}",
        "nowhere",
    ),
    EndingRule((Pruned,), "pruned", str, "nowhere"),
    EndingRule((Diverged,), "diverged", str, "nowhere"),
    EndingRule((UserError,), "failed", str, "nowhere"),
    EndingRule(
        (SystemExit,),
        "failed",
        lambda error: (
            f"SystemExit: something in the run called sys.exit({error.code if isinstance(error, SystemExit) else ''})"
        ),
        "log",
    ),
    EndingRule((BaseException,), "failed", lambda error: f"{type(error).__name__}: {error}", "screen"),
)


def ending_of(error: BaseException) -> Ending:
    """What an exception that ended a run means."""
    if isinstance(error, SystemExit) and isinstance(error.__context__, KeyboardInterrupt):
        error = error.__context__  # Lightning makes a SystemExit of Ctrl-C
    row = next(row for row in ENDINGS if isinstance(error, row.exceptions))
    received = signal_of(error) if row.status == "interrupted" else None
    return Ending(row.status, row.sentence(error), row.traceback, received)


def result_of(run: RunDir, ending: Ending, progress: RunState) -> Section:
    """What `result.json` holds; figures that were not reached are null or left out."""
    parts, config = progress.parts, progress.config
    hardware = hardware_for(config) if parts else None
    rows = run.whole_metrics()
    best = best_row(rows, str(config["task"]["_target_"]), _kept_step(run)) if rows and parts else {}
    measured = {name: value for name, value in best.items() if value is not None}  # epoch 0 has nothing of training
    kept = {name: value for name, value in measured.items() if name.startswith(("train/", "val/"))}
    meter = parts.callback(Meter) if parts else None
    divergence = divergence_of(parts.trainer) if parts else None
    speeds = meter.samples_per_second if meter else []
    metrics = {**kept, **progress.test}
    result = {
        "status": ending.status,
        "error": ending.sentence and readable(ending.sentence),
        "metrics": metrics,
        "baselines": _baselines(metrics, progress.baselines),
        "best_epoch": best.get("epoch"),
        "model": choice(config, "model"),
        "data": choice(config, "data"),
        "seed": config["seed"],
        "epochs": rows[-1]["epoch"] if rows else 0,
        "steps": rows[-1]["step"] if rows else 0,
        "seconds": progress.seconds,
        "samples_per_second": round(statistics.median(speeds), 1) if speeds else None,
        "parameters": sum(p.numel() for p in parts.net.parameters()) if parts else None,
        "precision": hardware.precision if hardware else None,
        "device": _device(hardware) if hardware else None,
        "dataset": progress.data.facts | _fold(config["data"]) if progress.data else None,
        "threads": torch.get_num_threads(),
        "compiled": is_compiled(parts.trainer) if parts else None,
        "changes": progress.changes,
        "rollbacks": divergence.rollbacks if divergence else [],
        "skipped_steps": divergence.num_skipped if divergence else 0,
        "versions": versions(),
        "git": git(),
        **(facts(progress.gathered.outputs(), parts.net) if parts and progress.gathered else {}),
    }
    return {**result, "findings": examined(run, config, result)}


def _fold(data: Section) -> Section:
    """Which part of the data validated, where it was cut into several."""
    return {key: data[key] for key in ("folds", "fold")} if data.get("folds") is not None else {}


def _baselines(metrics: dict[str, float], measured: Measured) -> Section:
    """The best of what needs no network in the test, whether the network beats it, and what is to be said of that."""
    best = best_baseline(metrics)
    if best is None:
        return {"best": None, "beaten": None, "notes": measured.notes}
    said = [] if best.is_beaten else [best.sentence]
    if "test/skill" not in metrics:
        said.append(f"There is no skill: {BASELINES[best.name][1]} makes no mistake in the test.")
    return {"best": best.name, "beaten": best.is_beaten, "notes": [*said, *measured.notes]}


def _kept_step(run: RunDir) -> int | None:
    """The optimizer step of the weights that the run keeps as its best; None where they cannot be read."""
    try:
        return load_checkpoint(run.best).step
    except (OSError, RuntimeError, ValueError, pickle.UnpicklingError):
        return None


def _device(hardware: Hardware) -> str:
    name = f"{hardware.accelerator} ({device_name(hardware.accelerator)})"
    return f"{hardware.num_processes} x {name}" if hardware.num_processes > 1 else name
