"""Saturated activations: sigmoids and tanhs at the ends of their range."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence, known
from litmus.doctor.finding import Finding, Rule

SATURATED = 0.5  # of a layer's outputs
LEARNED = 0.95  # progress from which on saturation did no harm


class SaturatedActivations(Rule):
    """Half of a layer's outputs or more lie within a fiftieth of the range from its ends, while little is learned."""

    title: ClassVar = "Saturated activations"
    why: ClassVar = "A saturated unit passes no gradient on, so the layers below it stop learning."
    source: ClassVar = "SageMaker Debugger's SaturatedActivation: 50 % of a layer; Glorot and Bengio 2010"
    explains: ClassVar = frozenset(
        ("class_collapse", "no_learning", "plateau", "underfitting", "vanishing_gradients", "worse_than_baseline")
    )

    def find(self, evidence: Evidence) -> Finding | None:
        progress = evidence.progress
        if not evidence.trained or progress is None or progress > LEARNED:
            return None
        found = known(evidence.trained[-1].saturated)
        if not found:
            return None
        number, share = max(found, key=lambda each: each[1])
        if share < SATURATED:
            return None
        rate = evidence.number("optimizer.lr")
        return self.finding(
            "warning",
            f"{share:.0%} of the outputs of {evidence.layers[number].name} are at the ends of their range.",
            layer=evidence.layers[number].name,
            epoch=evidence.trained[-1].epoch,
            overrides="model.batchnorm=true" + ("" if rate is None else f" optimizer.lr={rate / 3:.2g}"),
        )
