"""Class imbalance: rare classes weigh little, and are missed."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence, Z, error_of
from litmus.doctor.finding import Finding, Rule

RATIO = 10.0  # of the largest class to the smallest
MISSED = 0.5  # recall of the rare class, relative to the accuracy


class ClassImbalance(Rule):
    """A class has a tenth of the largest one's training samples or less, and is found half as often as others,
    which is not chance. Not of a loss that is balanced already, nor where nothing predicts the classes.
    """

    title: ClassVar = "Class imbalance"
    why: ClassVar = "The loss is mostly that of the frequent classes, and accuracy hides that the rare ones are missed."
    source: ClassVar = "SageMaker Debugger's ClassImbalance: 10; He and Garcia 2009"
    explains: ClassVar = frozenset(
        ("class_collapse", "label_noise", "no_learning", "underfitting", "worse_than_baseline")
    )
    judged_by: ClassVar = "f1"  # of which every class has an equal part; accuracy falls where rare ones are found

    def find(self, evidence: Evidence) -> Finding | None:
        counts = dict(zip(evidence.names, evidence.class_counts, strict=True))
        present = {name: count for name, count in counts.items() if count}
        if evidence.task != "classification" or len(present) < 2 or evidence.value("task.balanced") is True:
            return None
        if evidence.is_val_at_chance and not evidence.is_learnable:
            return None
        most = max(present, key=present.__getitem__)
        acc = evidence.metrics.get("test/acc")
        recalls = {name: evidence.metrics.get(f"test/recall_{name}") for name in present}
        rare = {
            name: recall
            for name, recall in recalls.items()
            if recall is not None and present[most] >= RATIO * present[name]
        }
        if not rare or acc is None:
            return None
        name = min(rare, key=rare.__getitem__)
        number = max(1, round(evidence.sizes.get("test", 0) * present[name] / sum(present.values())))
        highest = (rare[name] * number + 1) / (number + 2) + Z * error_of(rare[name], number)
        if rare[name] >= MISSED * acc or highest >= acc:
            return None
        return self.finding(
            "warning",
            f"{name} has {present[name]:,} training samples, {most} {present[most]:,}; of {name}, {rare[name]:.0%} "
            f"are found in the test (of about {number:,}); the accuracy is {acc:.0%}.",
            overrides="task.balanced=true",
        )
