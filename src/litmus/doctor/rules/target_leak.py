"""Target leak: a column says what is to be predicted."""

from collections.abc import Sequence
from typing import ClassVar

from litmus.config.validate import is_plain
from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule


class TargetLeak(Rule):
    """A column of the training rows determines the target, or nearly: each of its values has one class, or it is the
    target in another unit, or rounded.
    """

    title: ClassVar = "Target leak"
    why: ClassVar = "Where that column is not known when you predict, the network is worse than its metrics say."
    source: ClassVar = "Kaufman et al. 2012; thresholds argued: closer than honest columns come"
    is_tried: ClassVar = False

    def find(self, evidence: Evidence) -> Finding | None:
        leaking = {target: names for target, names in evidence.leaks.items() if names}
        if not leaking:
            return None
        listed = "; ".join(f"{', '.join(names)} (of {target})" for target, names in leaking.items())
        every = [name for names in leaking.values() for name in names]
        sentence = f"Columns that determine the target, or nearly: {listed}."
        return self.finding("warning", sentence, overrides=_ignoring(every, evidence))


def _ignoring(names: Sequence[str], evidence: Evidence) -> str | None:
    """The overrides that leave columns out, of all lists that name them; None for names that need quotes."""
    data = evidence.config.get("data") or {}
    listed = {key: value for key, value in data.items() if isinstance(value, list) and set(value) & set(names)}
    if "ignore" not in data:  # one that is made: its columns are what they are
        return None
    ignored = data["ignore"] or []
    changed = {key: [each for each in value if each not in names] for key, value in listed.items()}
    changed["ignore"] = list(dict.fromkeys([*ignored, *names]))
    if not all(is_plain(str(each)) for value in changed.values() for each in value):
        return None
    return " ".join(f"data.{key}=[{','.join(map(str, value))}]" for key, value in changed.items())
