"""Learning rate too low: steps are too small to arrive."""

import math
from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

SMALL_STEP, USUAL_STEP = 1e-4, 1e-3  # update-to-weight ratios: too small, and healthy (Karpathy)
LEARNED = 0.5  # progress from which on the steps were large enough


class LearningRateTooLow(Rule):
    """No layer's weights move by more than a ten-thousandth a step, and little is learned.

    Of a network without a loss of chance, such as a detector: nothing is.
    """

    title: ClassVar = "Learning rate too low"
    why: ClassVar = "The training ends long before it arrives. Raise the learning rate."
    source: ClassVar = "SageMaker Debugger's WeightUpdateRatio; Karpathy's rule of thumb of 1e-3"
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "class_imbalance",
            "label_noise",
            "no_learning",
            "plateau",
            "still_improving",
            "uncertain_validation",
            "underfitting",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        ratio, progress, rate = evidence.largest_step, evidence.progress, evidence.number("optimizer.lr")
        if ratio is None or ratio > SMALL_STEP:
            return None
        if (progress is None and not evidence.is_val_at_chance) or (progress or 0.0) > LEARNED:
            return None
        return self.finding(
            "severe",
            f"A step changes a layer's weights by {ratio:.1e} of their size at most (1e-3 is usual), and "
            f"{evidence.loss_in_words if progress is not None else 'validation is at chance'}.",
            overrides=None if rate is None else f"optimizer.lr={rate * _factor(ratio):.3g}",
        )


def _factor(ratio: float) -> float:
    """The power of ten that brings steps nearest to the usual size, 10 at least."""
    return float(10 ** max(1, round(math.log10(USUAL_STEP / ratio)))) if ratio > 0 else 10.0
