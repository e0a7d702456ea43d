"""Overtraining: the best epoch is long past."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

EARLY = 0.5  # of the epochs, in which the lowest validation loss lies
EPOCHS = 4  # after that one, at least
LOSS_RATIO = 1.25  # of the last validation loss to the lowest
GAIN = 0.02  # by which other metrics than fractions may have become better since, relatively


class Overtraining(Rule):
    """The epoch of the lowest validation loss lies in the first half, and the loss rose by a quarter since. Where the
    monitored metric gained more than its standard error after it, the kept epoch counts instead.
    """

    title: ClassVar = "Overtraining"
    why: ClassVar = "The later epochs made the network worse; the run keeps the best. Stop earlier, and save the time."
    source: ClassVar = "SageMaker Debugger's Overtraining; Prechelt 1998; threshold set on this project's networks"

    def find(self, evidence: Evidence) -> Finding | None:
        losses = {int(row["epoch"]): evidence.at(int(row["epoch"]), "val/loss") for row in evidence.rows}
        known = {epoch: loss for epoch, loss in losses.items() if loss is not None}
        if not known:
            return None
        lowest, last = min(known, key=known.__getitem__), max(known)
        best = evidence.best_epoch
        turn = best if best in known and best > lowest and _gained(evidence, lowest) else lowest
        if last - turn < EPOCHS or turn > EARLY * last or known[last] < LOSS_RATIO * known[turn]:
            return None
        what = "was lowest" if turn == lowest else f"was good, and {evidence.monitor} best,"
        return self.finding(
            "info",
            f"val/loss {what} in epoch {turn} of {last}, {known[turn]:.3g}, and is {known[last]:.3g} in the last.",
            epoch=turn,
            overrides=f"callback.early_stopping.patience={max(2, last // 10)}",
        )


def _gained(evidence: Evidence, turn: int) -> bool:
    """Whether the kept epoch is better than that of the lowest loss by more than chance."""
    then, best = evidence.at(turn, evidence.monitor), evidence.at(evidence.best_epoch, evidence.monitor)
    if then is None or best is None:
        return False
    error = evidence.val_error
    return evidence.sign * (best - then) > (GAIN * abs(then) if error is None else error)
