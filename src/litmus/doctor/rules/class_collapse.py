"""Class collapse: one class is predicted for nearly every sample."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

COLLAPSED = 0.99  # of the validation samples are predicted as one class
MAJORITY = 0.95  # a class of more training samples than that is predicted rightly so


class ClassCollapse(Rule):
    """The kept epoch predicts one class for 99 % of the validation samples, and that class has fewer."""

    title: ClassVar = "Class collapse"
    why: ClassVar = "The network ignores its input. The other classes are never predicted."
    source: ClassVar = "SageMaker Debugger's Confusion; threshold set on this project's networks"
    explains: ClassVar = frozenset(("label_noise", "uncertain_validation", "underfitting", "worse_than_baseline"))

    def find(self, evidence: Evidence) -> Finding | None:
        health = next((each for each in evidence.trained if each.epoch == evidence.best_epoch), None)
        if health is None or health.collapsed is None or not sum(evidence.class_counts):
            return None
        number, share = health.collapsed
        own = evidence.class_counts[number] / sum(evidence.class_counts)
        if share < COLLAPSED or own > MAJORITY:
            return None
        return self.finding(
            "severe",
            f"{share:.0%} of the validation samples are predicted as {evidence.names[number]}, which {own:.0%} of the "
            "training samples are.",
            epoch=health.epoch,
            overrides="task.balanced=true" if evidence.value("task.balanced") is False else None,
        )
