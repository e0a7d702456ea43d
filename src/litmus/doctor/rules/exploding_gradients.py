"""Exploding gradients: they are large before the first update."""

import statistics
from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

NORM = 70.0  # of the gradient, per unit of loss
LEARNED = 0.9  # progress from which on they did no harm


class ExplodingGradients(Rule):
    """The gradient's norm is 70 times the loss or more in the median epoch, while little is learned."""

    title: ClassVar = "Exploding gradients"
    why: ClassVar = "A few steps decide everything, and undo each other. Limit the gradient's norm, or normalize."
    source: ClassVar = "AUTOTRAINER (Zhang et al. 2021): above 70; Pascanu, Mikolov and Bengio 2013"
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "dying_relu",
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
        norms, chance, progress = evidence.curve("optim/grad_norm"), evidence.chance_loss, evidence.progress
        if not norms or not chance or progress is None or progress > LEARNED:
            return None
        norm = statistics.median(norms)
        if norm < NORM * chance:
            return None
        overrides = "trainer.gradient_clip=1.0"
        if evidence.value("model.batchnorm") is False:
            overrides += " model.batchnorm=true"
        return self.finding("severe", f"The gradient's norm is {norm:.3g} in the median epoch.", overrides=overrides)
