"""What the doctor finds in a run folder: its files are all that is needed."""

import logging
from collections.abc import Sequence
from dataclasses import fields

from litmus import console
from litmus.config.command import verb_command
from litmus.config.types import Section
from litmus.doctor.diagnose import diagnose, in_words, nothing_found
from litmus.doctor.evidence import Evidence, Health, Layer
from litmus.doctor.finding import Finding
from litmus.errors import UserError
from litmus.record.baselines import baseline_metrics, best_baseline
from litmus.record.command import command_with
from litmus.record.folder import HEALTH, METRICS, RunDir
from litmus.record.metrics import TIE_BREAKER, has_diverged, monitored

log = logging.getLogger(__name__)

OFF = "callback.doctor=null"
NO_EPOCH = "no epoch was trained, so there is nothing to examine"
WORSE = "worse_than_baseline"  # a finding


def findings(run: RunDir, config: Section, result: Section) -> list[Finding]:
    """What is wrong with a run, the gravest first; none where it has not trained an epoch.

    Args:
        run: the folder, for metrics and health.
        config: of the run, resolved.
        result: as `result.json` has it, or will.
    """
    return diagnose(evidence_of(run, config, result))


def examined(run: RunDir, config: Section, result: Section) -> list[Section]:
    """The findings as `result.json` has them; where examining fails, none, and the log says why: no run is lost."""
    try:
        return [dict(finding.to_plain()) for finding in findings(run, config, result)]
    except Exception:
        log.warning("The run could not be examined: its findings are left out.", exc_info=True)
        return []


def evidence_of(run: RunDir, config: Section, result: Section) -> Evidence:
    """What is known of a run; see `findings`. Of runs of earlier versions, that is less."""
    rows, health = run.whole_metrics(), run.read_health() or {}
    epochs = [row for row in rows if row["epoch"] > 0]
    before = next((row for row in rows if row["epoch"] == 0), None)
    monitor, mode = monitored(str(config["task"]["_target_"]))
    metrics = {name: value for name, value in result["metrics"].items() if value is not None}
    best = best_baseline(metrics)
    return Evidence(
        status=result["status"],
        diverged=result["status"] == "diverged" or bool(epochs and has_diverged(epochs[-1])),
        config=config,
        rows=epochs,
        monitor=monitor,
        mode=mode,
        best_epoch=result.get("best_epoch"),
        metrics=metrics,
        baselines=_baselines(metrics),
        unbeaten=None if best is None or best.is_beaten else (best.network, best.value, best.sentence),
        sizes=health.get("sizes", {}),
        names=health.get("names", []),
        class_counts=health.get("class_counts", []),
        repeated=health.get("repeated", {}),
        leaks=health.get("leaks", {}),
        first_loss=health.get("first_loss"),
        first_norm=health.get("first_norm"),
        input_size=health.get("input_size"),
        is_relative=before is not None,
        chance_loss=before[TIE_BREAKER] if before else health.get("chance_loss"),
        layers=[Layer(**layer) for layer in health.get("layers", [])],
        health=[_health(row) for row in health.get("epochs", [])],
    )


def _health(row: Section) -> Health:
    known = {each.name: row[each.name] for each in fields(Health) if each.name in row}
    collapsed = row.get("collapsed")
    return Health(**{**known, "collapsed": None if collapsed is None else tuple(collapsed)})


def _baselines(metrics: Section) -> dict[str, dict[str, float]]:
    return {
        name: {metric: metrics[full] for metric, full in own.items()}
        for (split, name), own in baseline_metrics(metrics).items()
        if split == "val"
    }


def unexamined(run: RunDir, result: Section) -> str | None:
    """What of a run that was trained could not be examined, in a sentence without a full stop; None where all was."""
    if not result.get("epochs"):
        return None
    lost = {
        METRICS: None if run.whole_metrics() else "the curves are not examined",
        HEALTH: None if run.read_health() is not None else "layers, labels and the first step are not examined",
    }
    why = {name: "damaged" if (run.path / name).is_file() else "missing" for name in lost}
    if why[HEALTH] == "missing" and _is_off(run):
        lost[HEALTH], why[HEALTH] = "layers, labels and the first step were not measured", OFF
    said = {name: why[name] if why[name] == OFF else f"{name} is {why[name]}" for name in lost}
    return ". ".join(f"{said[name]}: {what}" for name, what in lost.items() if what is not None) or None


def _is_off(run: RunDir) -> bool:
    """Whether the configuration has no doctor; of a file that cannot be read, nobody knows."""
    try:
        callbacks: Section = run.read_config()["callback"]
    except UserError:
        return False
    return "doctor" in callbacks and callbacks["doctor"] is None


def show(found: Sequence[Finding], run: RunDir, result: Section, most: int) -> None:
    """What is wrong with a run: the evidence, why it matters, and the command to try; or that nothing is.

    Args:
        found: the gravest first.
        run: the folder, in which the command stands that was typed.
        result: as result.json has it.
        most: how many to show.
    """
    unbeaten, missing = _unbeaten(found, result), unexamined(run, result)
    if unbeaten is not None:
        console.say(f"baseline     {unbeaten}", style="yellow", wrap=True)
    if not found and not result.get("epochs"):
        console.say(f"doctor       {NO_EPOCH}", wrap=True)
    elif not found:
        console.say(f"doctor       {nothing_found(unbeaten is not None, missing is None)}")
    for each in found[:most]:
        title, evidence, why = in_words(each)
        style = "" if each.severity == "info" else "yellow"
        console.say(f"doctor       {title} ({each.severity}): {evidence}", style=style, wrap=True)
        console.say(f"             {why}", wrap=True)
        if each.overrides:
            console.say_command("  try", command_with(run, each.overrides))
    if missing is not None:
        console.say(f"             {missing}", style="yellow", wrap=True)
    if len(found) > most:
        console.say(f"             {len(found) - most} more: {verb_command('doctor', str(run.path))}")


def _unbeaten(found: Sequence[Finding], result: Section) -> str | None:
    """That a baseline is as good as the network, where no finding says so; None where none is."""
    best = best_baseline({name: value for name, value in result["metrics"].items() if value is not None})
    if best is None or best.is_beaten or any(each.name == WORSE for each in found):
        return None
    return best.sentence
