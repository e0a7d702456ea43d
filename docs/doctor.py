"""Writes docs/doctor.md and its picture: what each rule of `litmus.doctor` looks for, and how well it does.

The figures are those of docs/doctor.json, which `make bench ARGS=doctor` writes.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from litmus.doctor.diagnose import rules
from litmus.page.charts import heat_map

DOCS = Path(__file__).parent
PAGE, FIGURES, PICTURE = DOCS / "doctor.md", DOCS / "doctor.json", DOCS / "doctor.png"
# In the picture, where a column is narrow.
SHORT = {
    "batch_norm_small_batch": "small batch",
    "class_collapse": "collapse",
    "class_imbalance": "imbalance",
    "exploding_gradients": "exploding",
    "learning_rate_too_high": "rate too high",
    "learning_rate_too_low": "rate too low",
    "not_linearly_separable": "not separable",
    "over_regularized": "regularized",
    "poor_initialization": "initialization",
    "saturated_activations": "saturated",
    "still_improving": "improving",
    "too_few_samples": "few samples",
    "uncertain_validation": "uncertain",
    "vanishing_gradients": "vanishing",
    "worse_than_baseline": "baseline",
}
Report = dict[str, Any]
Found = list[list[str]]  # name and severity of each finding of a run
# Published rates of tools that diagnose programs, each on its authors' own or others' collections.
PUBLISHED = (
    ("NeuraLint (Nikanjam et al. 2021)", "recall 70.5 %, precision 100 %"),
    ("DEFault (ICSE 2025), 52 programs", "94.3 % detected, 63.5 % diagnosed"),
    ("DeepFD, compared by others (Humbatova et al. 2025)", "recall 55 %, precision 37 %, alternative repairs counted"),
)
HEAD = """# The doctor

Every run is examined: eight steps of each epoch (`callback.doctor.probes`) measure gradients, updates and activations
of the layers, and every validation says which class is predicted most and which labels look wrong. When the run ends,
the rules below look at that, at the metrics and at the data. What they find is on the screen (the three gravest), in
`result.json` (`findings`), on the run's page and in TensorBoard. `litmus doctor RUN` says all of it again, and
`litmus doctor RUN --try` trains each proposal on three seeds beside the run's own setting, at most a minute a run, and
says which helps. `callback.doctor=null` leaves the measuring out; rules that need it are silent then.

A finding is `severe` where the result is of no use, a `warning` where it could be clearly better, and `info` where it
should be read with care. One cause is one finding: what a rule explains is not named beside it.

Where a rule speaks of chance, it compares the loss with that of a prediction that is the same for every sample: the
entropy of the classes, or the variance of standardized values. The loss of a perceptron or a detector is another, and
so is that of a forecast that begins with the last value: of these, rules see layers, metrics and data, and less of the
loss.

A rule is a file in `src/litmus/doctor/rules/`; a new one is found by its name.

| finding | fires when | explains | source |
|---|---|---|---|
"""


PROOF = """
## How well they do

`make bench ARGS=doctor` trains each setting with its sickness and without. Thresholds were set on the settings of
`bench/_sick.py` (*set*, {few_seeds} seeds). Those of `bench/_proof.py` are of other networks or data (*proof*, {seeds}
seeds). The first three seeds were looked at before four rules were given their present form. All five were before the
last changes, of `overtraining` and what explains what, and of `overfitting`, `underfitting`, `uncertain_validation`,
`class_imbalance` and `label_noise` on other data. Settings of `overtraining` on five seeds more, looked at by nobody:
{fresh}. The settings of `target_leak`, two of `poor_initialization` and one of `dying_relu` were added last; no rule
was changed for them.

Where a key makes the sickness, a run counts as sick if its test is worse than its twin's by more than chance: a
learning rate of 0.03 that does no harm is none. *Found*: the rule is among the findings of the sick run; *folded*: it
fires, and a graver finding explains it, which is named instead. *Silent*: it is not among the findings of the healthy
run. *Others*: healthy runs with another finding that is more than a remark, listed below.

"""
CONFUSED = """
What is found in each sickness, in percent of its runs (set and proof together):

![Which sickness fires which rule](doctor.png)

| sickness | runs | found |
|---|---|---|
"""
HEALTHY = """
Findings of healthy runs that are more than a remark:

"""
FAULTS = """
## Faults that others inject

Kinds of faults from published collections, made again as configurations of programs like theirs, on {few_seeds}
seeds. A fault counts where it harms: the test accuracy is lower by more than three standard errors, or the training
diverges (as in DeepCrime, a mutant that is killed). *Detected*: a finding that is more than a remark, or that names
the cause. *Diagnosed*: one names the cause. What no configuration here can make is left out: a wrong loss, a
redundant softmax, missing normalization of images, gradients of the wrong sign.

| fault | runs | harmful | detected | diagnosed | named |
|---|---|---|---|---|---|
"""
BESIDE = """
Beside these, what tools reached on other collections, as published; the faults above are of kinds that these rules
were written for:

| tool | reached |
|---|---|
"""
DEFAULTS = """
## What ships

Found in default settings, each run with a seed of its own:

| typed | runs | found |
|---|---|---|
"""


def page(report: Report) -> str:
    """The whole page."""
    rows = []
    for name, rule in rules().items():
        when = " ".join((type(rule).__doc__ or "").split())
        explains = ", ".join(f"`{other}`" for other in sorted(rule.explains))
        rows.append(f"| `{name}`: {rule.title} | {when} | {explains} | {rule.source} |")
    counts = {**report, "fresh": _of_fresh(report["fresh"])}
    parts = [
        HEAD,
        "\n".join(rows),
        "\n",
        PROOF.format(**counts),
        _by_rule(report),
        "\n",
        summary(report),
    ]
    parts += [
        CONFUSED,
        _confusions(report),
        HEALTHY,
        _of_healthy(report),
        FAULTS.format(**report),
        _of_faults(report["faults"]),
    ]
    parts += [BESIDE]
    parts += [f"| {tool} | {rate} |\n" for tool, rate in PUBLISHED]
    return "".join([*parts, DEFAULTS, _of_defaults(report["defaults"])])


def summary(report: Report) -> str:
    """What is said of it among the other figures."""
    said = []
    for name in ("set", "proof"):
        cases = report[name]
        sick, healthy = _rate(cases, _num_sick), sum(len(case["healthy"]) for case in cases)
        found, silent = _rate(cases, _is_found), _rate(cases, _is_silent)
        folded = _rate(cases, _num_folded)
        said.append(
            f"{name}: found in {found} of {sick} sick runs, and in {folded} more explained by a graver finding; silent "
            f"in {silent} of {healthy} healthy ones"
        )
    harmful, detected, diagnosed = (sum(each) for each in zip(*map(_counts, report["faults"]), strict=True))
    said.append(f"faults of published collections: of {harmful} that harm, {detected} detected, {diagnosed} diagnosed")
    return "All rules, " + "; ".join(said) + ".\n"


def _of_fresh(cases: Sequence[Report]) -> str:
    sick, healthy = _rate(cases, _num_sick), sum(len(case["healthy"]) for case in cases)
    return f"found in {_rate(cases, _is_found)} of {sick}, silent in {_rate(cases, _is_silent)} of {healthy}"


def write() -> None:
    """Writes page and picture."""
    report = json.loads(FIGURES.read_text(encoding="utf-8"))
    PAGE.write_text(page(report), encoding="utf-8")
    PICTURE.write_bytes(_matrix(report).png(scale=1))


def _names(found: Found) -> set[str]:
    return {name for name, _ in found}


def _is_found(case: Report) -> int:
    return sum(case["rule"] in _names(found) for found in _sick_runs(case))


def _num_folded(case: Report) -> int:
    return sum(folded and harm for folded, harm in zip(case["folded"], case["harmful"], strict=True))


def _num_sick(case: Report) -> int:
    return len(_sick_runs(case))


def _sick_runs(case: Report) -> list[Found]:
    return [found for found, does_harm in zip(case["sick"], case["harmful"], strict=True) if does_harm]


def _is_silent(case: Report) -> int:
    return sum(case["rule"] not in _names(found) for found in case["healthy"])


def _has_others(case: Report) -> int:
    return sum(any(severity != "info" and name != case["rule"] for name, severity in own) for own in case["healthy"])


def _rate(cases: Sequence[Report], count: Callable[[Report], int]) -> int:
    return sum(count(case) for case in cases)


def _by_rule(report: Report) -> str:
    lines = [
        "| rule | found, set | silent | others | found, proof | silent | others |",
        "|---|---|---|---|---|---|---|",
    ]
    for rule in rules():
        cells = [f"`{rule}`"]
        for name in ("set", "proof"):
            own = [case for case in report[name] if case["rule"] == rule]
            healthy = sum(len(case["healthy"]) for case in own)
            found, silent = (
                f"{_rate(own, _is_found)} of {_rate(own, _num_sick)}{_and_folded(own)}",
                f"{_rate(own, _is_silent)} of {healthy}",
            )
            cells += [found, silent, str(_rate(own, _has_others))] if own else ["not measured yet", "", ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _and_folded(cases: Sequence[Report]) -> str:
    number = _rate(cases, _num_folded)
    return f", {number} folded" if number else ""


def _sick(report: Report, rule: str) -> list[Found]:
    return [found for case in (*report["set"], *report["proof"]) if case["rule"] == rule for found in _sick_runs(case)]


def _confusions(report: Report) -> str:
    lines = []
    for rule in rules():
        own = _sick(report, rule)
        counts = Counter(name for found in own for name in sorted(_names(found)))
        named = ", ".join(f"`{name}` {number}" for name, number in counts.most_common())
        lines += [f"| `{rule}` | {len(own)} | {named or 'nothing'} |\n"] if own else []
    return "".join(lines)


def _matrix(report: Report) -> Any:
    names = [rule for rule in rules() if _sick(report, rule)]
    shares = np.array(
        [[np.mean([each in _names(found) for found in _sick(report, rule)]) for each in rules()] for rule in names]
    )
    texts = [[f"{100 * share:.0f}" if share else "" for share in row] for row in shares]
    shown = [[SHORT.get(name, name).replace("_", " ") for name in own] for own in (names, rules())]
    return heat_map("Rules by sickness", shares, shown[0], shown[1], texts, texts, ("sickness", "found"), (30, 22))


def _of_healthy(report: Report) -> str:
    counts: Counter[tuple[str, str]] = Counter()
    for case in (*report["set"], *report["proof"]):
        for found in case["healthy"]:
            counts.update((case["name"], name) for name, severity in found if severity != "info")
    lines = [f"| {case} | `{name}` | {number} |\n" for (case, name), number in sorted(counts.items())]
    return "| healthy setting | finding | runs |\n|---|---|---|\n" + "".join(lines)


def _counts(fault: Report) -> tuple[int, int, int]:
    """How many runs of a fault do harm, and of these are detected, and diagnosed."""
    harmful = [found for found, does in zip(fault["faulty"], fault["harmful"], strict=True) if does]
    right = set(fault["right"])
    diagnosed = sum(bool(right & _names(found)) for found in harmful)
    warned = sum(bool(right & _names(found)) or any(severity != "info" for _, severity in found) for found in harmful)
    return len(harmful), warned, diagnosed


def _of_faults(faults: Sequence[Report]) -> str:
    lines = []
    for kind in dict.fromkeys(fault["kind"] for fault in faults):
        own = [fault for fault in faults if fault["kind"] == kind]
        harmful, detected, diagnosed = (sum(each) for each in zip(*map(_counts, own), strict=True))
        names: Counter[str] = Counter()
        for fault in own:
            for found, does in zip(fault["faulty"], fault["harmful"], strict=True):
                names.update(sorted(_names(found)) if does else ())
        named = ", ".join(f"`{name}` {number}" for name, number in names.most_common(4))
        number = sum(len(fault["faulty"]) for fault in own)
        lines.append(f"| {kind} | {number} | {harmful} | {detected} | {diagnosed} | {named} |\n")
    return "".join(lines)


def _of_defaults(defaults: Sequence[Report]) -> str:
    return "".join(
        f"| {each['typed']} | {each['runs']} | "
        + (
            ", ".join(f"`{name}` ({severity}) {number}" for name, severity, number in each["found"])
            or ("nothing" if each["runs"] else "not run")
        )
        + " |\n"
        for each in defaults
    )


if __name__ == "__main__":
    write()
