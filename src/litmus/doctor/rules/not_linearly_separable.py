"""Not linearly separable: a straight boundary does not suffice, and the network can draw nothing else."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

GAP = 0.1  # of accuracy, by which boosted trees are better
LINEAR, BENT = "logistic", "trees"  # baselines


class NotLinearlySeparable(Rule):
    """A network without a hidden layer, logistic regression and boosted trees: only the last tell the classes apart.

    The network's own boundary is straight, as is that of logistic regression; that of trees is not.
    """

    title: ClassVar = "Not linearly separable"
    why: ClassVar = (
        "The network's boundary is straight, a line where there are two inputs, and no straight one separates these "
        "classes; a hidden layer bends it."
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
            "warning",
            f"At best, val/acc is {max(network):.3f}. That of logistic regression, whose boundary is straight, too, is "
            f"{found[LINEAR]:.3f}, and that of boosted trees, whose is not, {found[BENT]:.3f}.",
            epoch=evidence.best_epoch,
            overrides="model=fnn",
        )
