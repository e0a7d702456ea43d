"""Worse than a baseline: a method without a network does as well, or better."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule


class WorseThanBaseline(Rule):
    """The network does not beat the best baseline in the test."""

    title: ClassVar = "Worse than a baseline"
    why: ClassVar = "The simpler method is faster, and easier to understand."
    source: ClassVar = "Makridakis, Spiliotis and Assimakopoulos 2018 on forecasts; no threshold"
    explains: ClassVar = frozenset(("uncertain_validation",))

    def find(self, evidence: Evidence) -> Finding | None:
        if evidence.unbeaten is None:
            return None
        return self.finding("warning", evidence.unbeaten, epoch=evidence.best_epoch)
