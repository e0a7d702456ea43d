"""Tiny validation set: the interval is wider than the gain."""

import math
from typing import ClassVar

from litmus.doctor.evidence import Evidence, Z, error_of
from litmus.doctor.finding import Finding, Rule

SAMPLES = 200  # of validation, from which on it is not tiny
MOST_SHARE = 0.3  # of all samples: more would be missed in training
WIDE = 0.05  # half an interval, wider than most differences between settings


class UncertainValidation(Rule):
    """Fewer than 200 validation samples, on which the gain over a baseline is less than its interval, or the metric
    itself is known to no better than 5 points.
    """

    title: ClassVar = "Uncertain validation"
    why: ClassVar = "Which epoch or setting is best may be chance. Validate on more samples, or compare over seeds."
    is_tried: ClassVar = False
    source: ClassVar = "Agresti and Coull 1998: the interval of a fraction"

    def find(self, evidence: Evidence) -> Finding | None:
        number, own, best = evidence.sizes.get("val", 0), evidence.val_error, evidence.best_baseline
        value = evidence.at(evidence.best_epoch, evidence.monitor)
        if number >= SAMPLES or own is None or best is None or value is None:
            return None
        gain = value - best[1]
        error = math.hypot(own, error_of(best[1], number))
        if gain > Z * error and Z * own < WIDE:
            return None
        return self.finding(
            "info",
            f"{evidence.monitor} is {value:.3f}, {gain:+.3f} ± {Z * error:.3f} against the baseline {best[0]} "
            f"({number} samples).",
            epoch=evidence.best_epoch,
            overrides=_more_samples(evidence, number),
        )


def _more_samples(evidence: Evidence, number: int) -> str | None:
    """The override of a validation split that is not tiny; None where no key can make it larger."""
    share, size, limit = (evidence.number(f"data.{key}") for key in ("val_share", "val_size", "limit_eval"))
    if limit is not None and limit < SAMPLES:
        return "data.limit_eval=null"
    if evidence.value("data.folds") is not None:
        return None
    if size is not None and size < SAMPLES:
        return f"data.val_size={SAMPLES}"
    if share is None or share >= MOST_SHARE or evidence.value("data.val_path") is not None:
        return None
    return f"data.val_share={min(math.ceil(100 * share * SAMPLES / number) / 100, MOST_SHARE):g}"
