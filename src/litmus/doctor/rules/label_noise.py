"""Label noise: labels that a network trained on others takes to be wrong."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

ISSUES = 0.15  # of the validation labels
SPREAD = 0.8  # of these over pairs of classes: below, classes are hard to tell apart
REPEATS = 2.0  # of a class among the issues of one label, relative to chance: above, as well
BY_HEART = 0.15  # gap between training and validation accuracy from which on the network is confident without a reason
CLASSES = 3  # at least: of two, wrong labels cannot be told from hard samples
SAMPLES = 100  # of validation, at least


class LabelNoise(Rule):
    """Confident learning takes 15 % of the validation labels for wrong, and spread over all pairs of classes.

    Of a network that has memorized its training samples, that says nothing: it is confident of wrong classes, too.
    Nor of two classes, where wrong labels look like samples that are hard.
    """

    title: ClassVar = "Label noise"
    why: ClassVar = "Wrong labels are memorized, and make every metric look worse than the network is."
    source: ClassVar = "Confident learning (Northcutt, Jiang and Chuang 2021); threshold set on this project's data"
    explains: ClassVar = frozenset(("overfitting", "overtraining"))

    def find(self, evidence: Evidence) -> Finding | None:
        health = next((each for each in evidence.trained if each.epoch == evidence.best_epoch), None)
        if health is None or health.label_issues is None or evidence.sizes.get("val", 0) < SAMPLES:
            return None
        if health.label_issues < ISSUES or (health.issue_spread or 0.0) < SPREAD or len(evidence.names) < CLASSES:
            return None
        if (health.issue_repeats or 0.0) > REPEATS:
            return None
        train, val = (evidence.at(evidence.best_epoch, f"{split}/acc") for split in ("train", "val"))
        if train is not None and val is not None and train - val > BY_HEART:
            return None
        return self.finding(
            "warning",
            f"About {health.label_issues:.0%} of the validation labels look wrong, or their classes overlap: the "
            "network is confident of another class.",
            epoch=health.epoch,
            overrides="task.label_smoothing=0.1" if evidence.number("task.label_smoothing") == 0 else None,
        )
