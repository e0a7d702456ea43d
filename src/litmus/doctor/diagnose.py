"""Every rule, asked about a run; one cause, one finding."""

import functools
import importlib
from dataclasses import replace
from pathlib import Path

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import SEVERITIES, Finding, Rule

RULES = Path(__file__).with_name("rules")


@functools.cache
def rules() -> dict[str, Rule]:
    """Each rule by its name: one of every module in `doctor/rules/`."""
    found = {}
    for name in sorted(path.stem for path in RULES.glob("[!_]*.py")):
        module = importlib.import_module(f"litmus.doctor.rules.{name}")
        rule: Rule = getattr(module, name.title().replace("_", ""))()
        found[name] = rule
    return found


def fired(evidence: Evidence) -> list[Finding]:
    """What every rule finds by itself, explained by another finding or not."""
    return [finding for rule in rules().values() if (finding := rule.find(evidence)) is not None]


def diagnose(evidence: Evidence) -> list[Finding]:
    """What is wrong, the gravest first.

    What another finding explains is not named, and so explains nothing itself; the other is as grave as it at least.
    See `Rule.is_said`, too.
    """
    found = {finding.name: finding for finding in fired(evidence)}
    symptoms = {name: rules()[name].explained_by(finding) for name, finding in found.items()}

    @functools.cache
    def is_named(name: str) -> bool:
        return not any(name in symptoms[other] and is_named(other) for other in found)

    def with_what_it_explains(finding: Finding) -> Finding:
        graver = [found[name].severity for name in symptoms[finding.name] if name in found]
        return replace(finding, severity=min([finding.severity, *graver], key=SEVERITIES.index))

    named = [
        with_what_it_explains(finding)
        for name, finding in found.items()
        if is_named(name) and rules()[name].is_said(evidence)
    ]
    return sorted(named, key=lambda finding: SEVERITIES.index(finding.severity))


def nothing_found(is_beaten: bool, is_whole: bool = True) -> str:
    """What the doctor does, where there is no finding.

    Args:
        is_beaten: by a baseline, which is said elsewhere.
        is_whole: whether all is known of the run that is measured.
    """
    return f"finds nothing {'else' if is_beaten else 'wrong'}{'' if is_whole else ' in what is left'}"


def in_words(finding: Finding) -> tuple[str, str, str]:
    """What the illness is called, the evidence, and why it matters."""
    rule = rules()[finding.name]
    return rule.title, finding.evidence, rule.why
