"""No learning: the network predicts no better than a constant."""

import math
from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

PROGRESS = 0.02  # of the training loss below chance
STEPS = 50  # in which a network that learns has begun to


class NoLearning(Rule):
    """The training loss stays at that of a constant prediction."""

    title: ClassVar = "No learning"
    why: ClassVar = "Either the inputs say nothing about the target, or they do not belong to it: look at samples."
    source: ClassVar = "SageMaker Debugger's LossNotDecreasing; ln(classes) as the loss of chance"
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "label_noise",
            "over_regularized",
            "plateau",
            "still_improving",
            "uncertain_validation",
            "underfitting",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        progress, chance = evidence.progress, evidence.chance_loss
        if progress is None or chance is None or progress > PROGRESS:
            return None
        if int(evidence.rows[-1].get("step") or 0) < STEPS:
            return None
        loss = chance * (1 - progress)
        odds = (
            f", which is ln({len(evidence.names)})"
            if math.isclose(chance, math.log(max(len(evidence.names), 1)), rel_tol=1e-3)
            else ""
        )
        return self.finding(
            "severe",
            f"train/loss is {loss:.4g} at best, and that of a constant prediction {chance:.4g}{odds}.",
            epoch=evidence.last_epoch,
        )
