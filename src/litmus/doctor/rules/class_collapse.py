"""Class collapse: one class is predicted for nearly every sample."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence, is_collapse, is_uneven
from litmus.doctor.finding import Finding, Rule

MAJORITY = 0.95  # a class of more training samples than that is predicted rightly so


class ClassCollapse(Rule):
    """The kept epoch predicts one class nearly always, and the others a tenth as often as they occur, or less.

    Of classes that are even, a network at the level of chance has learned nothing, and is not named so.
    """

    title: ClassVar = "Class collapse"
    why: ClassVar = "The network ignores its input. The other classes are never predicted."
    source: ClassVar = "SageMaker Debugger's Confusion; threshold set on this project's networks"
    explains: ClassVar = frozenset(
        ("label_noise", "no_learning", "plateau", "uncertain_validation", "underfitting", "worse_than_baseline")
    )

    def find(self, evidence: Evidence) -> Finding | None:
        if evidence.preferred is None or not is_collapse(evidence):
            return None
        number, share = evidence.preferred
        own = evidence.class_counts[number] / sum(evidence.class_counts)
        if own > MAJORITY or (evidence.is_val_at_chance and not is_uneven(evidence)):
            return None
        return self.finding(
            "severe",
            f"{share:.0%} of the validation samples are predicted as {evidence.names[number]}, which {own:.0%} of the "
            "training samples are.",
            epoch=evidence.best_epoch,
            overrides="task.balanced=true" if evidence.value("task.balanced") is False else None,
        )
