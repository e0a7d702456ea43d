"""Leak between splits: samples of validation or test that the network was trained on."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

REPEATED = 0.05  # of a split's samples


class SplitLeak(Rule):
    """A twentieth of the validation or test samples are in an earlier split, too."""

    title: ClassVar = "Leak between splits"
    why: ClassVar = (
        "Such samples measure memory, so the metrics are better than they will be on new data. Remove duplicates, or "
        "keep what belongs together in one split."
    )
    source: ClassVar = "Kaufman et al. 2012; threshold argued: below it, the metric moves by less than its error"

    def find(self, evidence: Evidence) -> Finding | None:
        shares = {
            split: number / evidence.sizes[split]
            for split, number in evidence.repeated.items()
            if evidence.sizes.get(split)
        }
        leaking = {split: share for split, share in shares.items() if share >= REPEATED}
        if not leaking:
            return None
        listed = " and ".join(f"{share:.0%} of the {split} samples" for split, share in leaking.items())
        return self.finding(
            "severe" if max(leaking.values()) > 0.2 else "warning", f"{listed} are in an earlier split, too."
        )
