"""Target leak: a column says what is to be predicted."""

from collections.abc import Iterable
from typing import ClassVar

from litmus.config.validate import is_plain
from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule


class TargetLeak(Rule):
    """A column of the training rows determines the target, or nearly, as reading the data warns."""

    title: ClassVar = "Target leak"
    why: ClassVar = "Where that column is not known when you predict, the network is worse than its metrics say."
    source: ClassVar = "Kaufman et al. 2012; what `determines` means is in `data.columns.leaks`"

    def find(self, evidence: Evidence) -> Finding | None:
        leaking = {target: names for target, names in evidence.leaks.items() if names}
        if not leaking:
            return None
        listed = "; ".join(f"{target} is determined by {', '.join(names)}" for target, names in leaking.items())
        every = [name for names in leaking.values() for name in names]
        return self.finding("warning", f"{listed}, or nearly.", overrides=_ignoring(every, evidence))


def _ignoring(names: Iterable[str], evidence: Evidence) -> str | None:
    """The override that leaves columns out, with those that are left out already; None for names that need quotes."""
    ignored = evidence.value("data.ignore")
    every = dict.fromkeys([*(ignored if isinstance(ignored, list) else []), *names])
    return f"data.ignore=[{','.join(every)}]" if all(map(is_plain, every)) else None
