"""No learning: the network predicts no better than a constant."""

import math
from typing import ClassVar

from litmus.doctor.evidence import FEW_STEPS, Evidence, prefers_largest
from litmus.doctor.finding import Finding, Rule, Severity

EARLY: Severity = "info"  # severity within a few steps


class NoLearning(Rule):
    """Neither training nor validation gets clearly below the loss of a constant prediction.

    Where the training loss does, the network memorizes its samples, which is overfitting. Within 50 steps it is
    only a remark.
    """

    title: ClassVar = "No learning"
    why: ClassVar = (
        "The inputs may say nothing about the target, or the targets may be in another order: look at samples."
    )
    source: ClassVar = "SageMaker Debugger's LossNotDecreasing; ln(classes) as the loss of chance"
    explains: ClassVar = frozenset(
        (
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
        train = evidence.curve("train/loss")
        if not train or not evidence.is_val_at_chance or evidence.is_by_heart:
            return None
        sentence, steps = _sentence(evidence, min(train)), evidence.num_steps
        if not steps or prefers_largest(evidence):
            return None
        if steps >= FEW_STEPS:
            return self.finding("severe", sentence, epoch=evidence.last_epoch, overrides=evidence.usual_rate)
        longer = evidence.epochs_override(math.ceil(2 * FEW_STEPS / steps * evidence.last_epoch))
        early = f"{sentence} That may be too early to tell: the training had only {steps} steps."
        return self.finding(EARLY, early, epoch=evidence.last_epoch, overrides=longer)

    def explained_by(self, finding: Finding) -> frozenset[str]:
        return frozenset() if finding.severity == EARLY else self.explains


def _sentence(evidence: Evidence, train: float) -> str:
    chance, number = evidence.chance_loss, len(evidence.names)
    if evidence.task == "detection":
        return f"At best, {evidence.monitor} is {max(evidence.curve(evidence.monitor)):.4f}: hardly any box is right."
    if chance is None and not evidence.class_counts:
        best, constant = min(evidence.curve(evidence.monitor)), evidence.baselines["mean"][evidence.metric]
        return f"At best, {evidence.monitor} is {best:.4g}; the mean of the training targets has {constant:.4g}."
    if chance is None:
        best, share = max(evidence.curve("val/acc")), max(evidence.class_counts) / sum(evidence.class_counts)
        return f"At best, val/acc is {best:.3f}; the largest class has {share:.0%} of the training samples."
    is_even = bool(number) and math.isclose(chance, math.log(number), rel_tol=1e-3)
    odds = f", which is ln({number})" if is_even else ""
    return (
        f"At best, train/loss is {train:.4g} and val/loss {min(evidence.curve('val/loss')):.4g}; a constant prediction "
        f"has {chance:.4g}{odds}."
    )
