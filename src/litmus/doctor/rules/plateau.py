"""Plateau: the training loss stands still far above what a baseline reaches."""

from typing import ClassVar

from litmus.config.keys import choice
from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

EPOCHS = 6  # at least
FLAT = 0.01  # relative change of the training loss over the last half of the epochs
STUCK = 0.6  # progress above which there was not much more to learn


class Plateau(Rule):
    """The training loss changed by less than a hundredth in the last half of the epochs, early on its way.

    Of a network that begins as a forecast, such as the last value, that is no sign: there may be no better one.
    """

    title: ClassVar = "Plateau"
    why: ClassVar = "More epochs of the same bring nothing. Change the learning rate, the schedule or the network."
    source: ClassVar = "SageMaker Debugger's LossNotDecreasing; threshold set on this project's networks"

    def find(self, evidence: Evidence) -> Finding | None:
        losses, progress = evidence.curve("train/loss"), evidence.progress
        if len(losses) < EPOCHS or progress is None or progress > STUCK or evidence.is_relative:
            return None
        half = losses[len(losses) // 2 :]
        if (max(half) - min(half)) > FLAT * half[0]:
            return None
        rate, scheduler = evidence.number("optimizer.lr"), choice(evidence.config, "scheduler")
        other = "" if scheduler == "one_cycle" else " scheduler=one_cycle"
        return self.finding(
            "info",
            f"train/loss is between {min(half):.4g} and {max(half):.4g} since epoch {len(losses) // 2 + 1}.",
            epoch=len(losses) // 2 + 1,
            overrides=None if rate is None else f"optimizer.lr={rate * 3:.2g}{other}",
        )
