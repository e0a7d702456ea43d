"""Divergence: the loss stopped being a number."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule


class Divergence(Rule):
    """The training ended as diverged, or the last epoch's loss is not finite."""

    title: ClassVar = "Divergence"
    why: ClassVar = "The weights are lost. Lower the learning rate, or limit the gradient's norm."
    source: ClassVar = "Numerical error of DeepLocalize (Wardat, Le and Rajan 2021); no threshold"
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "class_imbalance",
            "dying_relu",
            "label_noise",
            "learning_rate_too_high",
            "no_learning",
            "overtraining",
            "plateau",
            "saturated_activations",
            "underfitting",
            "vanishing_gradients",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        if not evidence.diverged:
            return None
        overrides = None if evidence.lower_rate is None else f"{evidence.lower_rate} trainer.gradient_clip=1.0"
        epoch = evidence.last_epoch + (evidence.status == "diverged")
        sentence = f"The loss grew without bound, or was not finite, in epoch {epoch}."
        return self.finding("severe", sentence, epoch=epoch, overrides=overrides)
