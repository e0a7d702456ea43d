"""Still improving: the training ended too early."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

EPOCHS = 3  # at least
GAIN = 0.03  # by which the validation loss fell in each of the last two epochs
RATE = 0.2  # of the highest learning rate, that the last epoch has at least


class StillImproving(Rule):
    """The last epoch is the best, the validation loss fell by 3 % in each of the last two, at a learning rate that
    had not been lowered to its end. Not said of a run that was interrupted, which ended for no other reason.
    """

    title: ClassVar = "Still improving"
    why: ClassVar = "More epochs would make it better."
    source: ClassVar = "Prechelt 1998; threshold set on this project's networks"
    explains: ClassVar = frozenset(("label_noise", "underfitting", "uncertain_validation", "worse_than_baseline"))

    def is_said(self, evidence: Evidence) -> bool:
        return evidence.status != "interrupted"

    def find(self, evidence: Evidence) -> Finding | None:
        losses, rates = evidence.curve("val/loss"), evidence.curve("optim/lr")
        if len(losses) < EPOCHS or evidence.best_epoch != evidence.last_epoch or not rates:
            return None
        if rates[-1] < RATE * max(rates):
            return None
        if not all(later < (1 - GAIN) * earlier for earlier, later in zip(losses[-3:], losses[-2:], strict=False)):
            return None
        return self.finding(
            "info",
            f"val/loss fell from {losses[-3]:.4g} to {losses[-1]:.4g} in the last two epochs.",
            epoch=evidence.last_epoch,
            overrides=evidence.epochs_override(2 * evidence.last_epoch),
        )
