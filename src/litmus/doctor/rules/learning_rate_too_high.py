"""Learning rate too high: steps undo what was learned."""

from itertools import pairwise
from typing import ClassVar

from litmus.doctor.evidence import FEW_STEPS, Evidence
from litmus.doctor.finding import Finding, Rule

# Losses relative to that of chance or of the first step, whichever is more: of training in an epoch and in a single
# step (where steps are large: a batch of values with heavy tails has such a loss, too), and of validation.
ABOVE_CHANCE, STEP_ABOVE_CHANCE, VAL_ABOVE_CHANCE = 1.3, 3.0, 1.2
LARGE_STEP = 0.1  # update-to-weight ratio; 1e-3 is healthy (Karpathy)
STUCK = 0.2  # progress below which half as large ones are, unless the training has just begun
FAR_FROM_LEARNED = 0.5  # progress below which large steps are to blame
JUMP, JUMPS = 1.3, 0.3  # the validation loss of an epoch rises by this factor, in this fraction of the epochs


class LearningRateTooHigh(Rule):
    """The loss was far above chance, or steps are large and little is learned, or validation jumps.

    Large steps are not to blame where a baseline cannot tell the classes apart, either.
    """

    title: ClassVar = "Learning rate too high"
    why: ClassVar = "Each step overshoots, so the loss jumps or grows. Lower the learning rate."
    source: ClassVar = (
        "SageMaker Debugger's WeightUpdateRatio and AUTOTRAINER's oscillating loss (Zhang et al. 2021); thresholds set "
        "on this project's networks"
    )
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "class_imbalance",
            "dying_relu",
            "learning_rate_too_low",
            "label_noise",
            "no_learning",
            "overtraining",
            "plateau",
            "saturated_activations",
            "uncertain_validation",
            "underfitting",
            "vanishing_gradients",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        sentence = self._above_chance(evidence) or self._large_steps(evidence) or self._jumps(evidence)
        if sentence is None:
            return None
        return self.finding("severe", sentence, overrides=evidence.lower_rate)

    def _above_chance(self, evidence: Evidence) -> str | None:
        peak, step_peak, progress, chance = evidence.peak, evidence.step_peak, evidence.progress, evidence.chance_loss
        if peak is None or progress is None or chance is None or progress > FAR_FROM_LEARNED:
            return None
        bound = max(chance, evidence.first_loss or 0.0)
        val_peak = max(evidence.curve("val/loss"), default=0.0) / bound
        largest = (evidence.largest_step or 0.0) if _is_deep(evidence) else 0.0
        if val_peak > VAL_ABOVE_CHANCE and largest > LARGE_STEP / 2:
            return (
                f"val/loss is up to {val_peak * bound:.4g}, that of a constant prediction {chance:.4g}, while a step "
                f"changed a layer's weights by up to {largest:.0%} (0.1 % is usual)."
            )
        if peak > ABOVE_CHANCE and _is_by_steps(evidence):
            worst = f"{peak * bound:.4g} in an epoch"
        # With weights of classes, a batch with a sample of a rare one has such a loss, too.
        elif (
            (step_peak or 0.0) > STEP_ABOVE_CHANCE
            and largest > LARGE_STEP / 5
            and evidence.value("task.balanced") is not True
        ):
            worst = f"{(step_peak or 0.0) * bound:.4g} in a step"
        else:
            return None
        lowest = chance * (1 - progress)
        return f"train/loss is up to {worst}, that of a constant prediction {chance:.4g}, and at best {lowest:.4g}."

    def _large_steps(self, evidence: Evidence) -> str | None:
        progress, usual, largest = evidence.progress, evidence.step_size, evidence.largest_step
        if progress is None or usual is None or largest is None or not evidence.is_learnable:
            return None
        has_begun = evidence.num_steps >= FEW_STEPS
        is_large = usual >= LARGE_STEP and progress <= FAR_FROM_LEARNED and (has_begun or _is_deep(evidence))
        is_stuck = progress < STUCK and _is_deep(evidence) and has_begun
        if not is_large and not (is_stuck and largest >= LARGE_STEP / 2):
            return None
        return (
            f"A step changes a layer's weights by up to {largest:.0%} (0.1 % is usual), and {evidence.loss_in_words}."
        )

    def _jumps(self, evidence: Evidence) -> str | None:
        losses, ratio = evidence.curve("val/loss"), evidence.step_size
        jumps = sum(later > JUMP * earlier for earlier, later in pairwise(losses))
        if len(losses) < 4 or jumps < JUMPS * (len(losses) - 1) or jumps < 2 or (ratio or 0.0) < LARGE_STEP / 5:
            return None
        return f"val/loss rises by {JUMP - 1:.0%} or more in {jumps} of {len(losses) - 1} epochs."


def _is_by_steps(evidence: Evidence) -> bool:
    """Whether steps made the training loss what it is, and not the samples: windows or augmented images may be harder.

    What is known before the training of a network that is a forecast from the start, is its loss in validation.
    """
    losses = evidence.curve("train/loss")
    if max(losses) > ABOVE_CHANCE * min(losses):
        return True
    is_moving = evidence.largest_step is None or evidence.largest_step >= LARGE_STEP / 100
    return is_moving and not evidence.is_relative and evidence.num_steps >= FEW_STEPS


def _is_deep(evidence: Evidence) -> bool:
    """Whether there is more than one layer; a single one begins with zeros, of which every step is large."""
    return bool(evidence.trained) and sum(each is not None for each in evidence.trained[0].update) > 1
