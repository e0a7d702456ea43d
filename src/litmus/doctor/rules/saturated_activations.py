"""Saturated activations: sigmoids and tanhs at the ends of their range."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence, known
from litmus.doctor.finding import Finding, Rule

SATURATED = 0.55  # of a layer's outputs, in the first epoch: health has 0.37 at most, the sick 0.74 at least
VANISHED = 1e-4  # gradient of the first layer, relative to the last one's, before the first step


class SaturatedActivations(Rule):
    """In the first epoch, 55 % of a layer's outputs lie within a fiftieth of their range from its ends.

    Later on, a network that has learned its samples saturates, too, and in good health.
    """

    title: ClassVar = "Saturated activations"
    why: ClassVar = "A saturated unit passes no gradient on, so the layers below it stop learning."
    source: ClassVar = (
        "SageMaker Debugger's SaturatedActivation; Glorot and Bengio 2010; threshold set on this project's networks"
    )
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "class_imbalance",
            "label_noise",
            "no_learning",
            "overtraining",
            "plateau",
            "underfitting",
            "vanishing_gradients",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        found = known(evidence.trained[0].saturated) if evidence.trained else []
        ratio = evidence.start_ratio
        if not found or (ratio is not None and ratio < VANISHED):  # that came first
            return None
        number, share = max(found, key=lambda each: each[1])
        if share < SATURATED:
            return None
        rate = evidence.number("optimizer.lr")
        return self.finding(
            "warning",
            f"{share:.0%} of the outputs of {evidence.layers[number].name} are at the ends of their range in epoch 1.",
            layer=evidence.layers[number].name,
            epoch=1,
            overrides="model.batchnorm=true" + ("" if rate is None else f" optimizer.lr={rate / 3:.2g}"),
        )
