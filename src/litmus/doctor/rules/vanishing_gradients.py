"""Vanishing gradients: the first layers learn nothing."""

import statistics
from typing import ClassVar

from litmus.doctor.evidence import Evidence, gradient_ratio, known
from litmus.doctor.finding import Finding, Rule

RATIO = 1e-4  # of the first layer's gradient to that of the last one below the head
LEARNED = 0.9  # progress from which on the first layers have learned, or need not


class VanishingGradients(Rule):
    """The first layer's gradient is a ten-thousandth of the last hidden layer's, or less, while little is learned."""

    title: ClassVar = "Vanishing gradients"
    why: ClassVar = "The layers near the input hardly change, so the network is as shallow as the rest of it."
    source: ClassVar = "AUTOTRAINER (Zhang et al. 2021): first to last below 1e-3; Hochreiter 1991"
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "class_imbalance",
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
        measured = [(each, ratio) for each in evidence.health if (ratio := gradient_ratio(each)) is not None]
        progress = evidence.progress
        if not measured or progress is None or progress > LEARNED:
            return None
        if (ratio := statistics.median(own for _, own in measured)) > RATIO:
            return None
        layers = [evidence.layers[number].name for number, _ in known(measured[-1][0].gradient)]
        first, last = layers[0], layers[-2]
        return self.finding(
            "severe",
            f"The gradient of {first} is {ratio:.1e} of that of {last}.",
            layer=first,
            overrides=_overrides(evidence),
        )


def _overrides(evidence: Evidence) -> str | None:
    """All at once: of twenty layers, residual ones explode without batch norm, and with it alone they learn slowly."""
    cures = [] if evidence.value("model.activation") not in ("sigmoid", "tanh") else ["model.activation=relu"]
    cures += [f"{key}=true" for key in ("model.residual", "model.batchnorm") if evidence.value(key) is False]
    return " ".join(cures) or None
