"""Overfitting: what the run keeps knows the training samples, and less of others."""

import math
from typing import ClassVar

from litmus.doctor.evidence import BEGUN, BOUNDED, Evidence, prefers_largest
from litmus.doctor.finding import Finding, Rule

GAP = 0.1  # of the monitored metric between training and validation, for metrics in [0, 1]
ERRORS = 3.0  # standard errors of the validation metric that the gap must exceed
LOSS_RATIO = 3.0  # of validation loss to training loss, for other metrics, which differ by that gap of chance, too


class Overfitting(Rule):
    """In the kept epoch, the training metric is clearly better than the validation metric; or the training loss falls,
    and no epoch is better in validation than a constant prediction.
    """

    title: ClassVar = "Overfitting"
    why: ClassVar = "The network memorizes samples. Regularize, use a smaller network, or add or augment data."
    source: ClassVar = "SageMaker Debugger's Overfit; its 0.1 fires on healthy runs, so thresholds were set here"

    explains: ClassVar = frozenset(("overtraining",))

    def find(self, evidence: Evidence) -> Finding | None:
        if evidence.progress is not None and evidence.progress < BEGUN:
            return None
        if evidence.is_by_heart and not prefers_largest(evidence):
            return self.finding("severe", _by_heart(evidence), epoch=evidence.best_epoch)
        sentence = self._metric(evidence) if evidence.metric in BOUNDED else self._loss(evidence)
        if sentence is None:
            return None
        return self.finding("warning", sentence, epoch=evidence.best_epoch, overrides=_overrides(evidence))

    def _metric(self, evidence: Evidence) -> str | None:
        train, val = (evidence.at(evidence.best_epoch, f"{split}/{evidence.metric}") for split in ("train", "val"))
        error = evidence.val_error
        if train is None or val is None or error is None or train - val < max(GAP, ERRORS * error):
            return None
        return (
            f"In epoch {evidence.best_epoch}, train/{evidence.metric} is {train:.3f} and {evidence.monitor} {val:.3f}."
        )

    def _loss(self, evidence: Evidence) -> str | None:
        train, val = (evidence.at(evidence.best_epoch, f"{split}/loss") for split in ("train", "val"))
        number = evidence.sizes.get("val", 0)
        if train is None or val is None or number < 2 or train <= 0 or evidence.task == "detection":
            return None
        if evidence.chance_loss is not None and val - train < GAP * evidence.chance_loss:
            return None
        # The logarithm of a mean of n squared errors has a standard error of about sqrt(2 / n).
        if math.log(val / train) < math.log(LOSS_RATIO) + ERRORS * math.sqrt(2 / number):
            return None
        return f"In epoch {evidence.best_epoch}, train/loss is {train:.3g} and val/loss {val:.3g}."


def _by_heart(evidence: Evidence) -> str:
    return (
        f"train/loss falls to {min(evidence.curve('train/loss')):.3g}, and validation is never better than a constant "
        f"prediction ({evidence.chance_loss:.3g}): do the inputs say anything about the target?"
    )


def _overrides(evidence: Evidence) -> str | None:
    dropout = evidence.number("model.dropout")
    if dropout is not None and dropout < 0.3:
        return "model.dropout=0.3"
    l2 = evidence.number("model.l2")
    if l2 is not None and l2 < 1e-3:
        return "model.l2=0.001"
    return "data.augment=light" if evidence.value("data.augment") == "none" else None
