"""Data-bound: the training waits for its batches."""

import statistics
from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

WAITING = 0.5  # of the training time


class DataBound(Rule):
    """Half of the training time or more is spent waiting for batches."""

    title: ClassVar = "Waiting for data"
    why: ClassVar = "The device idles. Smaller stored images, fewer augmentations or a faster disk make epochs shorter."
    source: ClassVar = "Mohan et al. 2021 on data stalls; half of the time is argued: then loading is the larger part"

    def find(self, evidence: Evidence) -> Finding | None:
        shares = [each.waiting for each in evidence.trained if each.waiting is not None]
        if not shares or statistics.median(shares) < WAITING:
            return None
        return self.finding(
            "info", f"{statistics.median(shares):.0%} of the training time is spent waiting for batches."
        )
