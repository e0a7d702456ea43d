"""What a checkpoint holds besides Lightning's own entries; nobody else knows its format.

A checkpoint is Lightning's dictionary with entries of ours, all plain values and tensors, so that it loads with
`weights_only=True`: `spec`, `model`, `sha256`, for data that keeps fingerprints `seen`, for detectors `min_score`. The
task is a Lightning module whose network is called `net`: its tensors are the entries of `state_dict` that begin so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from litmus.config.protocols import Data, Net
from litmus.config.types import Section
from litmus.spec import Spec

PREFIX = "net."  # of the network's tensors in a task's state


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of a run.

    Attributes:
        spec: what the network takes and predicts.
        model: settings by which the network is rebuilt without the files that it was made of.
        weights: the network's tensors by its own names, memory-mapped: each is read when it is used.
        sha256: of the data's files, by name; None where a version of litmus did not store them.
        seen: fingerprints of what the network was trained and chosen on, int64, for `Data.leave_out`; None where the
            data keeps none.
        min_score: the score from which a detector's box counts; None where none was chosen.
    """

    spec: Spec
    model: Section
    weights: dict[str, Tensor]
    sha256: dict[str, str] | None
    seen: Tensor | None
    min_score: float | None

    @classmethod
    def from_content(cls, content: Mapping[str, object]) -> "Checkpoint | None":
        """The checkpoint in what `torch.load` gave; None where it is not one of litmus."""
        entries: Section = dict(content)
        if "spec" not in entries:
            return None
        state = entries["state_dict"]
        weights = {name.removeprefix(PREFIX): tensor for name, tensor in state.items() if name.startswith(PREFIX)}
        spec, model = Spec.from_plain(entries["spec"]), entries.get("model", {})
        return cls(spec, model, weights, entries.get("sha256"), entries.get("seen"), entries.get("min_score"))


def load_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file of a run folder, on the CPU.

    Raises:
        ValueError: the file is a checkpoint, but not one of litmus.
        OSError, RuntimeError, pickle.UnpicklingError: the file is missing or damaged.
    """
    content = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    checkpoint = Checkpoint.from_content(content)
    if checkpoint is None:
        raise ValueError(f"{path} is not a checkpoint of litmus: it holds no spec.")
    return checkpoint


def checkpoint_entries(net: Net, data: Data) -> Section:
    """What a run adds to Lightning's checkpoint: the inverse of `Checkpoint.from_content`, the weights excepted."""
    seen = {} if data.seen is None else {"seen": data.seen}
    min_score = {} if net.min_score is None else {"min_score": net.min_score}
    return {"spec": net.spec.to_plain(), "sha256": data.sha256, "model": net.rebuild_settings(), **seen, **min_score}
