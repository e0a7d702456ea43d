"""Too few samples to learn from."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

PER_CLASS = 10  # training samples
SAMPLES = 50  # of training, for values


class TooFewSamples(Rule):
    """There are fewer than ten training samples a class, or fewer than fifty of values."""

    title: ClassVar = "Too few samples"
    why: ClassVar = (
        "Chance decides what is learned, and what is measured. Collect more, or start from pretrained weights."
    )
    source: ClassVar = "Rule of thumb; Figueroa et al. 2012 on learning curves"
    explains: ClassVar = frozenset(
        (
            "dying_relu",
            "label_noise",
            "no_learning",
            "overfitting",
            "overtraining",
            "uncertain_validation",
            "underfitting",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        number, classes = evidence.sizes.get("train"), len(evidence.class_counts)
        if number is None:
            return None
        if classes and number < PER_CLASS * classes:
            more = "data.augment=light" if evidence.value("data.augment") == "none" else None
            sentence = f"There are {number:,} training samples of {classes} classes."
            return self.finding("warning", sentence, overrides=more)
        if evidence.task == "regression" and number < SAMPLES:
            return self.finding("warning", f"There are {number:,} training samples.")
        return None
