"""Underfitting: the network cannot even fit the training samples."""

from typing import ClassVar

from litmus.config.epochs import num_epochs
from litmus.config.types import MIXING
from litmus.doctor.evidence import BOUNDED, Evidence
from litmus.doctor.finding import Finding, Rule

GAP = 0.05  # by which training and validation are worse than the best baseline, for metrics in [0, 1]
FALLING = 0.02  # of the training loss in the last epoch, from which on more epochs are the first thing to try
LOSS_RATIO = 1.25  # of the network's squared error to the baseline's, for values


class Underfitting(Rule):
    """Training and validation metric are both clearly worse than what needs no network reaches in validation."""

    title: ClassVar = "Underfitting"
    why: ClassVar = "The network is too small, or trained too briefly, for these data. Make it wider, or train longer."
    source: ClassVar = "Goodfellow, Bengio and Courville 2016, section 5.2; measured against a baseline"
    explains: ClassVar = frozenset(("label_noise", "plateau", "uncertain_validation", "worse_than_baseline"))

    def find(self, evidence: Evidence) -> Finding | None:
        best = evidence.best_baseline
        train, val = (evidence.at(evidence.best_epoch, f"{split}/{evidence.metric}") for split in ("train", "val"))
        if best is None or train is None or val is None or evidence.is_by_heart:
            return None
        if evidence.value("data.augment") in MIXING:  # training counts shares of mixed samples then
            return None
        name, value = best
        if evidence.metric in BOUNDED:
            margin = max(GAP, 3 * (evidence.val_error or 0.0))
            is_worse = max(train, val) < value - margin
        else:
            is_worse = evidence.mode == "min" and min(train, val) ** 2 > LOSS_RATIO * value**2
        if not is_worse:
            return None
        return self.finding(
            "warning",
            f"train/{evidence.metric} is {train:.4g} and {evidence.monitor} {val:.4g}, where the baseline {name} has "
            f"{value:.4g}.",
            epoch=evidence.best_epoch,
            overrides=_overrides(evidence),
        )


def _overrides(evidence: Evidence) -> str | None:
    widths, losses = evidence.value("model.widths"), evidence.curve("train/loss")
    is_falling = len(losses) > 1 and losses[-1] < (1 - FALLING) * losses[-2]
    if isinstance(widths, list) and not is_falling:
        return f"model.widths=[{','.join(str(4 * width) for width in widths)}]"
    had = evidence.last_epoch if evidence.step_limit is not None else num_epochs(evidence.config["trainer"])
    return evidence.epochs_override(3 * had)
