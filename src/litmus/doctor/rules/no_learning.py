"""No learning: the network predicts no better than a constant."""

import math
from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

PROGRESS = 0.02  # of the loss below chance
ERRORS = 3.0  # standard errors of the accuracy of always naming the largest class
STEPS = 50  # in which a network that learns has begun to


class NoLearning(Rule):
    """The validation loss never falls below that of a constant prediction, whatever the training loss does."""

    title: ClassVar = "No learning"
    why: ClassVar = "Either the inputs say nothing about the target, or they do not belong to it: look at samples."
    source: ClassVar = "SageMaker Debugger's LossNotDecreasing; ln(classes) as the loss of chance"
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "label_noise",
            "overfitting",
            "overtraining",
            "plateau",
            "still_improving",
            "uncertain_validation",
            "underfitting",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        chance, train, val = evidence.chance_loss, evidence.curve("train/loss"), evidence.curve("val/loss")
        if chance is None or not train or not val or evidence.is_relative:
            return None
        if min(val) < (1 - PROGRESS) * chance or _beats_majority(evidence):
            return None
        if int(evidence.rows[-1].get("step") or 0) < STEPS:
            return None
        is_even = bool(evidence.names) and math.isclose(chance, math.log(len(evidence.names)), rel_tol=1e-3)
        odds = f", which is ln({len(evidence.names)})" if is_even else ""
        return self.finding(
            "severe",
            f"At best, train/loss is {min(train):.4g} and val/loss {min(val):.4g}; a constant prediction has "
            f"{chance:.4g}{odds}.",
            epoch=evidence.last_epoch,
        )


def _beats_majority(evidence: Evidence) -> bool:
    """Whether the best validation accuracy is above the share of the largest class by more than its interval."""
    found, number = evidence.curve("val/acc"), evidence.sizes.get("val", 0)
    if evidence.task != "classification" or not found or not sum(evidence.class_counts) or number < 2:
        return False
    share = max(evidence.class_counts) / sum(evidence.class_counts)
    return max(found) > share + ERRORS * math.sqrt(share * (1 - share) / number)
