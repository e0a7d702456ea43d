"""How a run went: in a sentence, with what needs no network beside it, in findings, and in figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from litmus.config.types import Section
from litmus.console import counted
from litmus.doctor import diagnose
from litmus.doctor.finding import SEVERITIES
from litmus.page.template import Table
from litmus.record.baselines import BASELINES, baseline_metrics, best_baseline, ranked_baselines
from litmus.record.metrics import GAIN, monitored_in, per_class, per_value
from litmus.report.material import Material
from litmus.report.parts import table

MOST_COLUMNS = 9  # of the table of figures


@dataclass(frozen=True)
class Finding:
    """What the doctor says of a run.

    Attributes:
        severity: info, warning or severe.
        name: of the finding, in words.
        evidence: in numbers.
        why: it matters, and what helps; empty for a finding that this version does not know.
        where: the layer and the epoch, as far as it names them.
        proposal: the command to try; empty for none.
    """

    severity: str
    name: str
    evidence: str
    why: str
    where: str
    proposal: str


def verdict(material: Material) -> str:
    """How the run went, in a sentence or two."""
    status, metrics = str(material.result.get("status")), material.metrics
    name, _ = monitored_in(str(material.config["task"]["_target_"]), metrics)
    tested = f"test/{name.partition('/')[2]}"
    if status != "finished":
        # A sentence, with its full stop; of a divergence it begins with that word.
        error = str(material.result.get("error") or "").removeprefix(f"{status}: ").removesuffix(".")
        kept = f" The best epoch reached {name} {metrics[name]:.4g}." if name in metrics else ""
        return f"The run {_ended(status)}{f': {error}' if error else ''}.{kept}"
    if tested not in metrics:
        return "The run has finished; its test metrics are not known."
    epoch, epochs = material.result.get("best_epoch"), material.result.get("epochs")
    when = f" with the weights of epoch {epoch} of {epochs}" if epoch is not None else ""
    best = best_baseline(metrics)
    said = f"{tested} is {metrics[tested]:.4g}{when}"
    if best is None:
        return f"{said}."
    if not best.is_beaten:
        return f"{said}. {best.sentence}"
    others = [f"{BASELINES[own][1]} {_of(metrics, own, tested):.4g}" for own, _ in ranked_baselines(metrics, "test")]
    return f"{said}: better than {_listed(others)}."


def findings(material: Material) -> list[Finding]:
    """The doctor's findings, the gravest first; a foreign file may hold anything."""
    given = material.result.get("findings")
    found = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    order: dict[str, int] = {severity: place for place, severity in enumerate(SEVERITIES)}
    found.sort(key=lambda each: order.get(str(each.get("severity")), len(order)))
    return [_finding(each, material.commands) for each in found]


def nothing_found(material: Material) -> str:
    """What is said where there is no finding."""
    if "findings" not in material.result:
        return "The run was not examined."
    if not material.result.get("epochs"):
        return "No epoch was trained, so there is nothing to examine."
    best = best_baseline(material.metrics)
    is_whole = bool(material.health and material.rows)
    return f"The doctor {diagnose.nothing_found(best is not None and not best.is_beaten, is_whole)}."


def figures(material: Material) -> Table | None:
    """The metrics of each split, and below them those of baselines in the test; None without any."""
    metrics = material.metrics
    baselines = baseline_metrics(metrics)
    apart = {own for names in baselines.values() for own in names.values()} | {GAIN}
    apart |= {own for names in per_class(metrics).values() for own in names.values()}
    apart |= {
        own for split in ("train", "val", "test") for n in per_value(metrics, split).values() for own in n.values()
    }
    shown = [name for name in metrics if name not in apart and name.startswith(("train/", "val/", "test/"))]
    columns = list(dict.fromkeys(name.partition("/")[2] for name in shown))[:MOST_COLUMNS]
    rows = [
        [label, *(_number(metrics.get(f"{split}/{column}")) for column in columns)]
        for split, label in (("test", "test"), ("val", "validation"), ("train", "training"))
        if any(name.startswith(f"{split}/") for name in shown)
    ]
    for name, _ in ranked_baselines(metrics, "test"):
        own = baselines["test", name]
        cells = [_number(metrics[own[column]]) if column in own else "" for column in columns]
        rows.append([f"test, {BASELINES[name][0]}", *cells])
    return table(["", *columns], rows) if rows and columns else None


def title(material: Material) -> str:
    """The network and the data, with its file or folder: many runs are of `table`."""
    path = material.config["data"].get("path")
    name = f" {PurePath(path).name}" if isinstance(path, str) else ""
    return f"{material.result.get('model')} on {material.result.get('data')}{name}"


def facts(material: Material) -> str:
    """The run in a line below its title."""
    result = material.result
    parts = [f"model={result.get('model')}", f"data={result.get('data')}", f"seed {result.get('seed')}"]
    if isinstance(result.get("parameters"), int):
        parts.append(f"{result['parameters']:,} parameters")
    if isinstance(result.get("epochs"), int):
        parts.append(counted(result["epochs"], "epoch"))
    seconds = [each for each in (result.get("seconds") or {}).values() if isinstance(each, int | float)]
    if seconds:
        parts.append(f"{sum(seconds):.1f} s")
    return " · ".join([*parts, str(result.get("device") or "")]).strip(" ·")


def _finding(given: Section, commands: Mapping[str, str]) -> Finding:
    layer, epoch = given.get("layer"), given.get("epoch")
    where = [f"layer {layer}" if layer else "", f"epoch {epoch}" if epoch is not None else ""]
    severity, name = str(given.get("severity")), str(given.get("name") or "")
    rule, proposal = diagnose.rules().get(name), str(given.get("try") or "")
    return Finding(
        severity if severity in SEVERITIES else "info",
        rule.title if rule else name.replace("_", " "),
        str(given.get("evidence") or ""),
        rule.why if rule else "",
        ", ".join(part for part in where if part),
        commands.get(proposal, proposal),
    )


def _of(metrics: dict[str, float], baseline: str, tested: str) -> float:
    return metrics[f"test/{baseline}_{tested.partition('/')[2]}"]


def _ended(status: str) -> str:
    verbs = {"diverged": "diverged", "failed": "failed", "interrupted": "was interrupted", "pruned": "was pruned"}
    return verbs.get(status, "has not ended")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
