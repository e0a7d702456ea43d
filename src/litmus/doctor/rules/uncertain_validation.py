"""Tiny validation set: the interval is wider than the gain."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence, Z
from litmus.doctor.finding import Finding, Rule

SAMPLES = 200  # of validation, from which on it is not tiny


class UncertainValidation(Rule):
    """Fewer than 200 validation samples, whose interval is wider than what the network gains over a baseline."""

    title: ClassVar = "Uncertain validation"
    why: ClassVar = "Which epoch or setting is best may be chance. Validate on more samples, or compare over seeds."
    source: ClassVar = "Agresti and Coull 1998: the interval of a fraction"

    def find(self, evidence: Evidence) -> Finding | None:
        number, error, best = evidence.sizes.get("val", 0), evidence.val_error, evidence.best_baseline
        value = evidence.at(evidence.best_epoch, evidence.monitor)
        if number >= SAMPLES or error is None or best is None or value is None:
            return None
        if value == best[1] == 1.0:  # no mistake by either: there is nothing to gain
            return None
        gain = value - best[1]
        if gain > Z * error:
            return None
        return self.finding(
            "info",
            f"{evidence.monitor} is {value:.3f} ± {Z * error:.3f} ({number} samples), {gain:+.3f} against the baseline "
            f"{best[0]}.",
            epoch=evidence.best_epoch,
        )
