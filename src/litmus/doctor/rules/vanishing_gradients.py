"""Vanishing gradients: the first layers learn nothing."""

import statistics
from typing import ClassVar

from litmus.doctor.evidence import Evidence, known
from litmus.doctor.finding import Finding, Rule

RATIO = 1e-4  # of the first layer's gradient to the last one's
LEARNED = 0.9  # progress from which on the first layers have learned, or need not


class VanishingGradients(Rule):
    """The first layer's gradient is a ten-thousandth of the last layer's, or less, while little is learned."""

    title: ClassVar = "Vanishing gradients"
    why: ClassVar = "The layers near the input hardly change, so the network is as shallow as the rest of it."
    source: ClassVar = "AUTOTRAINER (Zhang et al. 2021): first to last below 1e-3; Hochreiter 1991"
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "label_noise",
            "learning_rate_too_low",
            "no_learning",
            "plateau",
            "uncertain_validation",
            "underfitting",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        pairs = [(found[0], found[-1]) for each in evidence.health if len(found := known(each.gradient)) > 2]
        progress = evidence.progress
        if not pairs or progress is None or progress > LEARNED:
            return None
        ratio = statistics.median(first[1] / max(last[1], 1e-30) for first, last in pairs)
        if ratio > RATIO:
            return None
        first, last = (evidence.layers[number].name for number, _ in pairs[-1])
        return self.finding(
            "severe",
            f"The gradient of {first} is {ratio:.1e} of that of {last}.",
            layer=first,
            overrides=_overrides(evidence),
        )


def _overrides(evidence: Evidence) -> str | None:
    activation = evidence.value("model.activation")
    if activation in ("sigmoid", "tanh"):
        return "model.activation=relu model.residual=true"
    if evidence.value("model.residual") is False:
        return "model.residual=true"
    return "model.batchnorm=true" if evidence.value("model.batchnorm") is False else None
