"""Not linearly separable: no line tells the classes apart, and the network can draw nothing else."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

GAP = 0.1  # of accuracy, by which boosted trees are better
LINEAR, BENT = "logistic", "trees"  # baselines


class NotLinearlySeparable(Rule):
    """A network without a hidden layer, logistic regression and boosted trees: only the last tell the classes apart.

    Logistic regression has the best line there is, in the mean; trees need none.
    """

    title: ClassVar = "Not linearly separable"
    why: ClassVar = (
        "No straight line separates these classes, however long the network is trained; a hidden layer bends it."
    )
    source: ClassVar = "Minsky and Papert 1969 on the perceptron; measured against two baselines"
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "label_noise",
            "learning_rate_too_high",
            "no_learning",
            "overtraining",
            "plateau",
            "still_improving",
            "uncertain_validation",
            "underfitting",
            "worse_than_baseline",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        found = {name: own["acc"] for name, own in evidence.baselines.items() if "acc" in own}
        network = evidence.curve("val/acc")
        if len(evidence.layers) != 1 or not network or not {LINEAR, BENT} <= set(found):
            return None
        margin = max(GAP, 3 * (evidence.val_error or 0.0))
        best = max(*network, found[LINEAR])
        if best > found[BENT] - margin:
            return None
        return self.finding(
            "severe",
            f"At best, val/acc is {max(network):.3f}. That of logistic regression, which draws a line, too, is "
            f"{found[LINEAR]:.3f}, and that of boosted trees, which draw none, {found[BENT]:.3f}.",
            epoch=evidence.best_epoch,
            overrides="model=fnn",
        )
