"""Every rule, asked about a run; one cause, one finding."""

import functools
import importlib
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


def diagnose(evidence: Evidence) -> list[Finding]:
    """What is wrong, the gravest first; what another finding explains is not named."""
    found = [finding for rule in rules().values() if (finding := rule.find(evidence)) is not None]
    explained = {symptom for finding in found for symptom in rules()[finding.name].explains}
    return sorted(
        (finding for finding in found if finding.name not in explained),
        key=lambda finding: SEVERITIES.index(finding.severity),
    )
