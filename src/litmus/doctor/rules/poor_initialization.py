"""Poor initialization: signals shrink or grow from layer to layer before the first step."""

import math
from typing import ClassVar

from litmus.doctor.evidence import Evidence, known
from litmus.doctor.finding import Finding, Rule

RATIO = 100.0  # of two activations' root mean squares, before the first step
INPUT_SIZE = 20.0  # root mean square of the inputs, or its inverse; images in [0, 255] have about 100
FIRST_LOSS = 5.0  # of the first step, relative to chance, or to equal odds of the classes if that is more
LEARNED = 0.5  # progress from which on the training did start


class PoorInitialization(Rule):
    """Before the first step, activations differ a hundredfold between layers, or the loss is five times chance, or the
    inputs are not normalized.
    """

    title: ClassVar = "Poor initialization"
    why: ClassVar = "The signal or its gradient is lost on the way, so that training starts late or never."
    source: ClassVar = (
        "SageMaker Debugger's PoorWeightInitialization; Glorot and Bengio 2010, He et al. 2015; LeCun et al. 1998 on "
        "inputs"
    )
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "class_imbalance",
            "dying_relu",
            "label_noise",
            "learning_rate_too_low",
            "no_learning",
            "plateau",
            "uncertain_validation",
            "underfitting",
            "vanishing_gradients",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        sentence, layer = self._inputs(evidence) or self._signal(evidence) or self._loss(evidence) or ("", None)
        if not sentence:
            return None
        init = evidence.value("model.init")
        overrides = None if init is None else "model.init=he" if init != "he" else "model.batchnorm=true"
        has_learned = evidence.progress is not None and evidence.progress > LEARNED
        return self.finding("info" if has_learned else "severe", sentence, layer=layer, epoch=0, overrides=overrides)

    def _inputs(self, evidence: Evidence) -> tuple[str, None] | None:
        size = evidence.input_size
        if size is None or 1 / INPUT_SIZE < size < INPUT_SIZE:
            return None
        return f"The inputs are of size {size:.3g}, where 1 is usual: the dataset does not normalize them.", None

    def _signal(self, evidence: Evidence) -> tuple[str, str] | None:
        found = known(evidence.start.rms) if evidence.start else []
        if len(found) < 2:
            return None
        lowest, highest = min(found, key=lambda each: each[1]), max(found, key=lambda each: each[1])
        if highest[1] < RATIO * lowest[1]:
            return None
        low, high = evidence.layers[lowest[0]].name, evidence.layers[highest[0]].name
        return (
            f"Before the first step, outputs of {high} are of size {highest[1]:.2g}, those of {low} {lowest[1]:.2g}.",
            low,
        )

    def _loss(self, evidence: Evidence) -> tuple[str, None] | None:
        first, chance = evidence.first_loss, evidence.chance_loss
        if first is None or not chance:
            return None
        equal_odds = math.log(max(len(evidence.names), 1)) if evidence.task == "classification" else 0.0
        if first < FIRST_LOSS * max(chance, equal_odds):
            return None
        return f"The first step's loss is {first:.3g}, where a constant prediction has {chance:.3g}.", None
