"""Too much dropout or L2: the network may not learn what it could."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

DROPOUT = 0.7  # at least, to be to blame
LEARNED = 0.8  # progress of the training loss from which on it was not too much


class OverRegularized(Rule):
    """Dropout is 0.7 or more, or the L2 penalty outweighs the loss, and little is learned."""

    title: ClassVar = "Too much regularization"
    why: ClassVar = "The network is kept from fitting the training samples, so it cannot fit others. Use less."
    source: ClassVar = "Srivastava et al. 2014, section 7.3: 0.5 is close to optimal for hidden units"
    explains: ClassVar = frozenset(
        (
            "class_collapse",
            "class_imbalance",
            "label_noise",
            "learning_rate_too_low",
            "overtraining",
            "poor_initialization",
            "no_learning",
            "plateau",
            "still_improving",
            "uncertain_validation",
            "underfitting",
            "vanishing_gradients",
            "worse_than_baseline",
            "dying_relu",
        )
    )

    def find(self, evidence: Evidence) -> Finding | None:
        progress = evidence.progress
        if progress is None or progress > LEARNED:
            return None
        dropout = evidence.number("model.dropout") or 0.0
        if dropout >= DROPOUT:
            return self.finding(
                "severe" if progress < 0.1 else "warning",
                f"With model.dropout={dropout:g}, {evidence.loss_in_words}.",
                overrides="model.dropout=0.3",
            )
        return self._l2(evidence)

    def _l2(self, evidence: Evidence) -> Finding | None:
        penalties, losses, l2 = (
            evidence.curve("optim/l2_penalty"),
            evidence.curve("train/loss"),
            evidence.number("model.l2"),
        )
        first = evidence.chance_loss
        if not l2 or not penalties or not losses or not first:
            return None
        if l2 < 1e-3 and max(penalties) < losses[-1] / 4:
            return None
        if max(penalties) < losses[-1] / 10 and losses[-1] < 0.9 * first:
            return None
        return self.finding(
            "warning",
            f"With model.l2={l2:g}, train/loss is {losses[-1]:.3g} (a constant prediction has {first:.3g}), and the "
            f"penalty was up to {max(penalties):.3g}.",
            overrides=f"model.l2={l2 / 100:.1g}",
        )
