"""Batch norm with tiny batches: its statistics are noise."""

from typing import ClassVar

from litmus.doctor.evidence import Evidence
from litmus.doctor.finding import Finding, Rule

SAMPLES = 8  # of a batch, in each process


class BatchNormSmallBatch(Rule):
    """Batch norm takes its statistics of fewer than eight samples."""

    title: ClassVar = "Batch too small for batch norm"
    why: ClassVar = "Mean and variance of so few samples are noise, which differs from what evaluation uses."
    source: ClassVar = "Wu and He 2018, figure 1: the error rises below 16 samples, steeply below 8"
    explains: ClassVar = frozenset(
        ("label_noise", "learning_rate_too_high", "plateau", "underfitting", "worse_than_baseline")
    )

    def find(self, evidence: Evidence) -> Finding | None:
        batch_size, processes = evidence.number("data.batch_size"), evidence.number("trainer.devices") or 1
        processes *= evidence.number("trainer.num_nodes") or 1
        if evidence.value("model.batchnorm") is not True or batch_size is None or batch_size / processes >= SAMPLES:
            return None
        return self.finding(
            "warning",
            f"Each step has {batch_size / processes:g} samples.",
            overrides="data.batch_size=32" if processes == 1 else f"data.batch_size={32 * int(processes)}",
        )
