"""Exploding gradients: they are large before the first update."""

import statistics
from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

NORM = 1000.0  # of the gradient, per unit of loss: it grows with the inputs, to 100 for photos in health
LEARNED = 0.9  # progress from which on they did no harm


class ExplodingGradients(Rule):
    """The gradient's norm is 1,000 times the loss of chance or more before the first step, and little is learned."""

    title: ClassVar = "Exploding gradients"
    why: ClassVar = "A few steps decide everything, and undo each other. Limit the gradient's norm, or normalize."
    source: ClassVar = (
        "AUTOTRAINER (Zhang et al. 2021): above 70, which photos exceed in health; Pascanu, Mikolov and Bengio 2013"
    )
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "class_imbalance",
            "divergence",
            "dying_relu",
            "label_noise",
            "learning_rate_too_high",
            "no_learning",
            "plateau",
            "poor_initialization",
            "saturated_activations",
            "uncertain_validation",
            "underfitting",
            "vanishing_gradients",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        first, chance, norms = evidence.first_norm, evidence.chance_loss, evidence.curve("optim/grad_norm")
        if first is None or not chance or (evidence.progress or 0.0) > LEARNED or first < NORM * chance:
            return None
        later = f", and {statistics.median(norms):.3g} in the median epoch" if norms else ""
        overrides = "trainer.gradient_clip=1.0"
        if evidence.value("model.batchnorm") is False:
            overrides += " model.batchnorm=true"
        sentence = f"The gradient's norm is {first:.3g} before the first step{later}."
        return self.finding("severe", sentence, epoch=0, overrides=overrides)
