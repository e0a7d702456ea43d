"""Dying ReLU: units that are zero for every sample."""

from itertools import takewhile
from statistics import mean
from typing import ClassVar

from litmus.doctor.evidence import Evidence, known
from litmus.doctor.finding import Finding, Rule

LEARNED = 0.5  # progress from which on the others did the work
DEAD, ALL_DEAD = 0.5, 0.8  # of the units of all layers on average, and of a single one


class DyingRelu(Rule):
    """Half of the units, or four fifths of a layer's, gave 0 for every sample of the last epoch that was examined."""

    title: ClassVar = "Dying ReLU"
    why: ClassVar = "A dead unit has no gradient and cannot come back: the network is smaller than it looks."
    source: ClassVar = (
        "SageMaker Debugger's DeadRelu: 50 % of a layer; Glorot, Bordes and Bengio 2011: half zero is healthy"
    )
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "label_noise",
            "no_learning",
            "plateau",
            "underfitting",
            "vanishing_gradients",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        if not evidence.trained or not (found := known(evidence.trained[-1].dead)):
            return None
        number, share = max(found, key=lambda each: each[1])
        if share < ALL_DEAD and mean(value for _, value in found) < DEAD:
            return None
        epochs = reversed(evidence.trained)
        dead = takewhile(lambda each: (each.dead[number] or 0.0) >= min(share, DEAD), epochs)
        epoch = min(each.epoch for each in dead)
        return self.finding(
            "info" if (evidence.progress or 0.0) > LEARNED else "warning",
            f"{share:.0%} of the units of {evidence.layers[number].name} give 0 for every sample, since epoch {epoch}.",
            layer=evidence.layers[number].name,
            epoch=epoch,
            overrides=_overrides(evidence),
        )


def _overrides(evidence: Evidence) -> str | None:
    rate = evidence.number("optimizer.lr")
    slower = [] if rate is None else [f"optimizer.lr={rate / 3:.2g}"]
    other = ["model.activation=leaky_relu"] if evidence.value("model.activation") == "relu" else []
    return " ".join(other + slower) or None
