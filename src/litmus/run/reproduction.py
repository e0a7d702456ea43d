"""`reproduce=RUN`: whether a run that is trained again, elsewhere, came out the same, and if not, what may be why."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from tensorboard.backend.event_processing.directory_watcher import DirectoryDeletedError

from litmus import console
from litmus.config.types import Section
from litmus.record.files import write_text
from litmus.record.folder import RunDir, finite
from litmus.run.ending import PARTS
from litmus.run.environment import PACKAGES

REPORT = "reproduction.json"
FACTS = (
    "python",
    "system",
    "processor",
    "device",
    "precision",
    "threads",
    "compiled",
)  # of environment.json, that digits depend on
SEVERAL = 5  # other packages that are named


@contextmanager
def threads_of(original: RunDir) -> Iterator[None]:
    """In the body, torch computes with as many threads as it did for a run; sums depend on it."""
    known = original.read_result() or original.read_environment() or {}
    number, before = known.get("threads"), torch.get_num_threads()
    try:
        if isinstance(number, int) and number > 0:
            torch.set_num_threads(number)
        yield
    finally:
        torch.set_num_threads(before)


def compare(original: RunDir, run: RunDir) -> bool:
    """Says, and writes to `reproduction.json`, how a run's reproduction came out.

    Args:
        original: the run.
        run: its reproduction, finished.

    Returns:
        Whether both are the same to the last bit, as far as the original's folder still shows.
    """
    parts = _parts(original, run)
    same = parts["result.json"] is True and False not in parts.values()
    metrics, weights, epoch = _metrics(original, run), _weights(original, run), _first_epoch(original, run)
    differences = dict(_differences(original, run))
    report = {
        "of": str(original.path),
        "identical": same,
        "parts": {part: _word(equal) for part, equal in parts.items()},
        "metrics": {name: list(pair) for name, pair in metrics.items()},
        "weights": weights,
        "first_epoch": epoch,
        "differences": {what: list(pair) for what, pair in differences.items()},
    }
    write_text(run.path / REPORT, json.dumps(finite(report), indent=2, ensure_ascii=False) + "\n")
    missing = "" if None not in parts.values() else ", as far as it is kept"
    console.say(f"reproduces   {original.path}  {'identical' if same else 'not identical'}{missing}", style="bold")
    console.say("  ".join(f"{part}: {_word(equal)}" for part, equal in parts.items()), wrap=True)
    if not same:
        rows = [(name, *map(_digits, (then, now, now - then))) for name, (then, now) in metrics.items() if then != now]
        console.table(("metric", "then", "now", "difference"), rows)
        if weights is not None:
            console.say(f"weights differ by at most {weights:.2%} of the largest in their tensor")
        if epoch is not None:
            console.say(f"metrics.csv differs from epoch {epoch} on")
        if not differences:
            console.say("Code, versions, processor, threads and data are the same.")
    if differences:
        rows = [(what, str(then), str(now)) for what, (then, now) in differences.items()]
        console.table(("differs", "then", "now"), rows)
    return same


def _word(equal: bool | None) -> str:
    return {True: "identical", False: "differs", None: "missing"}[equal]


def _digits(number: float) -> str:
    return f"{number:.6g}"


def _parts(original: RunDir, run: RunDir) -> dict[str, bool | None]:
    """By part of a run's end, whether it is the same; None where the original's folder does not have it."""
    return {part: _same(end_of, original, run) for part, end_of in PARTS.items()}


def _same(end_of: Callable[[RunDir], object], original: RunDir, run: RunDir) -> bool | None:
    try:
        then = end_of(original)
    except (OSError, RuntimeError, DirectoryDeletedError):  # to save space, its checkpoint was removed
        return None
    return then == end_of(run) if then else None


def _metrics(original: RunDir, run: RunDir) -> dict[str, tuple[float, float]]:
    """Final metrics that both have: then and now."""
    theirs, ours = ((each.read_result() or {}).get("metrics", {}) for each in (original, run))
    pairs = {name: (theirs[name], ours.get(name)) for name in theirs}
    return {name: pair for name, pair in pairs.items() if None not in pair}


def _first_epoch(original: RunDir, run: RunDir) -> int | None:
    """The first epoch whose row of metrics is another."""
    theirs, ours = (PARTS["metrics.csv"](each) for each in (original, run))
    assert isinstance(theirs, list)
    assert isinstance(ours, list)
    return next((row["epoch"] for row, other in zip(theirs, ours, strict=False) if row != other), None)


def _weights(original: RunDir, run: RunDir) -> float | None:
    """The largest difference of a weight, as a part of the largest in its tensor; None without common tensors."""
    if not original.last.is_file():
        return None
    theirs, ours = (torch.load(each.last, weights_only=True, mmap=True)["state_dict"] for each in (original, run))
    if {name: tensor.shape for name, tensor in theirs.items()} != {name: tensor.shape for name, tensor in ours.items()}:
        return None
    return max((_difference(theirs[name], ours[name]) for name in theirs), default=0.0)


def _difference(theirs: torch.Tensor, ours: torch.Tensor) -> float:
    if torch.equal(theirs, ours) or not theirs.numel():
        return 0.0
    largest = float(theirs.double().abs().max())
    difference = float((theirs.double() - ours.double()).abs().max())
    return difference / largest if largest else math.inf


def _differences(original: RunDir, run: RunDir) -> Iterator[tuple[str, tuple[object, object]]]:
    """What of versions, hardware, threads, data or code differs: then and now."""
    if original.read_config()["trainer"].get("max_time") is not None:  # which the clock ends
        steps, own = ((each.read_result() or {}).get("steps") for each in (original, run))
        if steps != own:
            yield "steps until trainer.max_time was over", (steps, own)
    then, now = _surroundings(original), _surroundings(run)
    for what in ("code", "changes of the code", "data", *FACTS):
        if what in then and then[what] != now.get(what):
            yield what, (then[what], now.get(what))
    theirs, ours = then["packages"], now["packages"]
    names = {*theirs, *ours} if "system" in then else set(theirs)  # a version of litmus stored only the main ones
    different = [name for name in sorted(names) if theirs.get(name) != ours.get(name)]
    for name in sorted(different, key=lambda name: name not in PACKAGES)[:SEVERAL]:
        yield name, (theirs.get(name), ours.get(name))
    if len(different) > SEVERAL:
        yield "more packages", (f"{len(different) - SEVERAL} of other versions", "")
    if "variables" in then and then["variables"] != now["variables"]:
        for name in sorted({*then["variables"], *now["variables"]}):
            if then["variables"].get(name) != now["variables"].get(name):
                yield name, (then["variables"].get(name), now["variables"].get(name))


def _surroundings(run: RunDir) -> Section:
    """Where a run was computed, by its environment.json, and else by its result."""
    result = run.read_result() or {}
    known = run.read_environment() or {}
    code = known.get("git") or result.get("git") or {}
    data = (result.get("dataset") or {}).get("sha256") or {}
    versions = result.get("versions") or {}
    facts = {
        name: result.get(name)
        for name in ("precision", "threads", "compiled", "device")
        if result.get(name) is not None
    }
    return {
        "code": code.get("commit"),
        "data": ", ".join(f"{name} {sha[:8]}" for name, sha in data.items()),
        "changes of the code": (code.get("diff") or "")[:8] or None,
        **({"python": versions["python"]} if "python" in versions else {}),
        **{name: known[name] for name in ("system", "processor", "variables") if name in known},
        **facts,
        "packages": known.get("packages") or {name: v for name, v in versions.items() if v and name != "python"},
    }
