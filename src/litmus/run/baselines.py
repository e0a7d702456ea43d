"""What needs no network, on the same splits: what a network should beat.

A constant, forecasts that the data knows, and models without a network, fitted on the training split alone and measured
on validation and test. They are computed when the first validation ends, so that a training starts at once (but for one
with an epoch 0) and `skill` is known for every epoch; in about a second, because a model is fitted on as many samples
as that allows, at random if these are not all; the same numbers each time, whatever the seed, the threads or the time
that it takes; and once for the same data and split: they are kept in the cache folder.
"""

import hashlib
import importlib.metadata
import json
import logging
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config import protocols
from litmus.config.protocols import SPLITS, Data, Split, Task
from litmus.errors import first_line
from litmus.fetch import local
from litmus.fetch.once import one_at_a_time
from litmus.record.baselines import BASELINES
from litmus.record.files import write_text
from litmus.run.fitted import methods, predictions
from litmus.spec import Classes, Labels

log = logging.getLogger(__name__)

VERSION = 3  # of how baselines are computed: another number invalidates the cache
MEASURED: tuple[Split, ...] = ("val", "test")
NUM_PROBED = 16  # samples of a split whose inputs are compared with the cache's


@dataclass(frozen=True)
class Measured:
    """The baselines of a dataset.

    Attributes:
        metrics: by split, method and metric.
        notes: on what, and on how many samples, models were fitted; or why they were not.
    """

    metrics: protocols.Baselines = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def measure(data: Data, task: Task, dir: str | None, training: Data | None = None) -> Measured:
    """The baselines of the data, measured as the task measures its network; none where `task.baselines=false`.

    Args:
        data: prepared.
        task: whose metrics are measured.
        dir: the folder below which they are kept, as `data.dir` names it.
        training: whose training split models are fitted on; None for that of the data.
    """
    sources: dict[Split, Data] = {"train": training or data, "val": data, "test": data}
    targets = {split: source.targets(split) for split, source in sources.items()}
    if any(found is None for found in targets.values()):
        return Measured(notes=[f"There are no baselines for {data.spec.target.noun}."])
    if not task.baselines:
        return Measured(notes=["There are no baselines: task.baselines=false."])
    known = {split: found for split, found in targets.items() if found is not None}
    folder = local.cache_folder(dir or os.environ.get("LITMUS_DATA")) / "baselines"  # a series has no data.dir
    path = folder / f"{_key(sources, known)}.json"
    if (kept := _load(path)) is not None:
        return kept
    with one_at_a_time(path):  # the jobs of a sweep that start together
        if (kept := _load(path)) is not None:
            return kept
        found = _computed(sources, task, known)
        try:
            write_text(path, json.dumps(asdict(found)))
        except OSError as error:  # the cache is only a convenience
            log.info("baselines are not cached in %s: %s", path.parent, error)
        return found


def _computed(sources: dict[Split, Data], task: Task, targets: dict[Split, Tensor]) -> Measured:
    metrics: protocols.Baselines = {}
    data = sources["train"]
    for split in MEASURED:
        simple = sources[split].forecasts(split) or _constants(data, targets["train"], len(targets[split]))
        metrics[split] = {name: task.measure(found, targets[split]) for name, found in simple.items()}
    if not data.most_flat:
        return Measured(metrics, ["No model is fitted to this data."])
    if _sklearn() is None:
        return Measured(metrics, ["No model is fitted: that needs scikit-learn (pip install 'litmus[baselines]')."])
    notes = []
    for method in methods(data):
        name = BASELINES[method.name][0].capitalize()
        if method.most < len(data.spec.target.names):
            notes.append(f"{name}: too many {data.spec.target.noun}.")
            continue
        rows = {split: _rows(of, split, len(targets[split]), method.most) for split, of in sources.items()}
        try:
            predicted = predictions(method, sources, targets["train"][rows["train"]], rows)
        except ValueError as error:
            notes.append(f"{name}: {first_line(error)}")
            continue
        for split, found in predicted.items():
            metrics[split][method.name] = task.measure(found, targets[split][rows[split]])
        notes.append(f"{name}: {'; '.join([data.flat_noun, *method.said, *_taken(rows, targets)])}.")
    return Measured(metrics, notes)


def fitted_again(data: Data, name: str) -> NDArray[np.float64] | None:
    """What a model that was measured as a baseline predicts in the test: float64 (test samples, values).

    NaN for samples on which it was not measured; None where it is not fitted to this data, or scikit-learn is gone.

    Args:
        data: prepared; models are fitted on its training split.
        name: a key of `BASELINES`.
    """
    targets = {split: data.targets(split) for split in SPLITS}
    if not data.most_flat or _sklearn() is None or any(own is None for own in targets.values()):
        return None
    method = next((own for own in methods(data) if own.name == name), None)
    if method is None:
        return None
    known = {split: own for split, own in targets.items() if own is not None}
    rows = {split: _rows(data, split, len(own), method.most) for split, own in known.items()}
    predicted = predictions(method, dict.fromkeys(SPLITS, data), known["train"][rows["train"]], rows)["test"]
    found = np.full((len(known["test"]), *predicted.shape[1:]), np.nan)
    found[rows["test"].numpy()] = predicted.double().numpy()
    return found


def _sklearn() -> str | None:
    """The version of scikit-learn; None where it is not installed."""
    try:
        return importlib.metadata.version("scikit-learn")
    except importlib.metadata.PackageNotFoundError:
        return None


def _load(path: Path) -> Measured | None:
    """What is kept; None where there is nothing, or it is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Measured(content["metrics"], content["notes"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _constants(data: Data, training: Tensor, number: int) -> dict[str, Tensor]:
    """The same prediction for each of so many samples: what is most frequent or central in training."""
    if isinstance(data.spec.target, Classes):
        return {"majority": training.bincount().argmax().expand(number)}
    if isinstance(data.spec.target, Labels):
        return {"majority": (2 * training.sum(dim=0) > len(training)).expand(number, -1)}
    median = torch.from_numpy(np.median(training.numpy(), axis=0))
    return {"mean": training.mean(dim=0).expand(number, -1), "median": median.expand(number, -1)}


def _rows(data: Data, split: Split, number: int, most: int) -> Tensor:
    """The samples of a split that are taken: all, or as many as are quick, at random."""
    most = min(most, data.most_flat) if split == "train" else data.most_flat
    if number <= most:
        return torch.arange(number)
    return torch.randperm(number, generator=torch.Generator().manual_seed(0))[:most].sort().values


def _taken(rows: dict[Split, Tensor], targets: dict[Split, Tensor]) -> list[str]:
    """On how many samples of each split a model is fitted and measured, where these are not all."""
    words: dict[Split, tuple[str, str]] = {
        "train": ("fitted", "training"),
        "val": ("measured", "validation"),
        "test": ("measured", "test"),
    }
    return [
        f"{done} on {len(rows[split]):,} of {len(targets[split]):,} {noun} samples"
        for split, (done, noun) in words.items()
        if len(rows[split]) < len(targets[split])
    ]


def _key(sources: dict[Split, Data], targets: dict[Split, Tensor]) -> str:
    """A hash of all that decides the numbers: targets, inputs (by fingerprints and some samples), scikit-learn."""
    digest = hashlib.sha256()
    digest.update(repr((VERSION, _sklearn(), sources["train"].spec.target)).encode())
    for split, data in sources.items():
        digest.update(repr((data.flat_noun, data.most_flat, sorted(data.sha256.items()))).encode())
        digest.update(np.ascontiguousarray(data.seen.numpy()).tobytes())
        digest.update(np.ascontiguousarray(targets[split].numpy()).tobytes())
        for name, found in sorted(data.forecasts(split).items()) if split in MEASURED else ():
            digest.update(name.encode() + np.ascontiguousarray(found.numpy()).tobytes())
        if data.most_flat:
            probed = data.flat_inputs(split, torch.arange(min(NUM_PROBED, data.most_flat, len(targets[split]))))
            digest.update(repr(probed).encode() if isinstance(probed, list) else probed.tobytes())
    return digest.hexdigest()
