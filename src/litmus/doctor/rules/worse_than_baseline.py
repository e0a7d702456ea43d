"""Worse than a baseline: a method without a network does better, by more than chance."""

import math
from typing import ClassVar

from litmus.doctor.evidence import BOUNDED, Evidence, Z, error_of
from litmus.doctor.finding import Finding, Rule


class WorseThanBaseline(Rule):
    """In the test, the best baseline is better than the network by more than the interval of the network's metric.

    The accuracy of a balanced loss falls, and rightly: it says nothing.
    """

    title: ClassVar = "Worse than a baseline"
    why: ClassVar = "The simpler method is faster, and easier to understand."
    source: ClassVar = "Makridakis, Spiliotis and Assimakopoulos 2018 on forecasts; the interval decides"
    explains: ClassVar = frozenset(("uncertain_validation",))

    def find(self, evidence: Evidence) -> Finding | None:
        if evidence.unbeaten is None or (evidence.value("task.balanced") is True and evidence.metric == "acc"):
            return None
        network, baseline, sentence = evidence.unbeaten
        if evidence.sizes.get("test", 0) < 2 or not _is_worse(network, baseline, evidence):
            return None
        return self.finding("warning", sentence, epoch=evidence.best_epoch)


def _is_worse(network: float, baseline: float, evidence: Evidence) -> bool:
    number = evidence.sizes["test"]
    if evidence.metric in BOUNDED:
        return baseline - network > Z * error_of(network, number)
    # A root of a mean of n squared errors has a relative standard error of about 1 / sqrt(2 n).
    return evidence.mode == "min" and network > baseline * (1 + Z / math.sqrt(2 * number))
