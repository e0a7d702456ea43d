"""Overtraining: the best epoch is long past."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

EARLY = 0.5  # of the epochs, in which the best one lies
EPOCHS = 4  # after the best one, at least
LOSS_RATIO = 1.25  # of the last validation loss to the lowest


class Overtraining(Rule):
    """The best epoch lies in the first half, and the validation loss rose by a quarter since."""

    title: ClassVar = "Overtraining"
    why: ClassVar = "The later epochs made the network worse; the run keeps the best. Stop earlier, and save the time."
    source: ClassVar = "SageMaker Debugger's Overtraining; Prechelt 1998; threshold set on this project's networks"

    def find(self, evidence: Evidence) -> Finding | None:
        losses, best, last = evidence.curve("val/loss"), evidence.best_epoch, evidence.last_epoch
        if best is None or best == 0 or last - best < EPOCHS or best > EARLY * last or not losses:
            return None
        lowest = min(losses)
        if losses[-1] < LOSS_RATIO * lowest:
            return None
        return self.finding(
            "info",
            f"Epoch {best} of {last} is best; val/loss was {lowest:.3g} at its lowest, and is {losses[-1]:.3g} now.",
            epoch=best,
            overrides=f"callback.early_stopping.patience={max(2, last // 10)}",
        )
