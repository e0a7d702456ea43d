"""What needs no network, on the same splits: what a network should beat.

A constant, forecasts that the data knows, and a linear model, fitted on the training split alone and measured on
validation and test. They are computed before the training, so that `skill` is known for every epoch; in about a second,
because the linear model is fitted on as many samples as that allows, at random if these are not all; the same numbers
each time, whatever the seed, the threads or the time that it takes; and once for the same data and split: they are kept
in the cache folder.
"""

import hashlib
import importlib.metadata
import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
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
from litmus.record.baselines import BASELINES
from litmus.record.files import write_text
from litmus.spec import Classes

log = logging.getLogger(__name__)

VERSION = 1  # of how baselines are computed: another number invalidates the cache
MEASURED: tuple[Split, ...] = ("val", "test")
MOST_PRODUCTS = 1_600_000_000  # of a training input and a weight, in all steps: about 0.3 s of one core
STEPS = 40  # of logistic regression, after which the accuracy hardly changes
NUM_PROBED = 16  # samples of a split whose inputs are compared with the cache's


@dataclass(frozen=True)
class Measured:
    """The baselines of a dataset.

    Attributes:
        metrics: by split, method and metric.
        notes: on what, and on how many samples, the linear model was fitted; or why there is none.
    """

    metrics: protocols.Baselines = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def measure(data: Data, task: Task, dir: str | None) -> Measured:
    """The baselines of the data, measured as the task measures its network; none where `task.baselines=false`.

    Args:
        data: prepared.
        task: whose metrics are measured.
        dir: the folder below which they are kept, as `data.dir` names it.
    """
    targets = {split: data.targets(split) for split in SPLITS}
    if any(found is None for found in targets.values()):
        return Measured(notes=[f"There are no baselines for {data.spec.target.noun}."])
    if not task.baselines:
        return Measured(notes=["There are no baselines: task.baselines=false."])
    known = {split: found for split, found in targets.items() if found is not None}
    folder = local.cache_folder(dir or os.environ.get("LITMUS_DATA")) / "baselines"  # a series has no data.dir
    path = folder / f"{_key(data, known)}.json"
    if (kept := _load(path)) is not None:
        return kept
    found = _computed(data, task, known)
    try:
        write_text(path, json.dumps(asdict(found)))
    except OSError as error:  # the cache is only a convenience
        log.info("baselines are not cached in %s: %s", path.parent, error)
    return found


def _computed(data: Data, task: Task, targets: dict[Split, Tensor]) -> Measured:
    metrics: protocols.Baselines = {}
    for split in MEASURED:
        simple = data.forecasts(split) or _constants(data, targets["train"], len(targets[split]))
        metrics[split] = {name: task.measure(found, targets[split]) for name, found in simple.items()}
    if not data.most_flat:
        return Measured(metrics, ["There is no linear model of this data."])
    if _sklearn() is None:
        return Measured(metrics, ["There is no linear model: it needs scikit-learn (pip install 'litmus[baselines]')."])
    rows = {split: _rows(data, targets, split) for split in SPLITS}
    try:
        with _on_one_core():
            predicted = _linear(data, targets["train"][rows["train"]], rows)
    except ValueError as error:
        return Measured(metrics, [f"There is no linear model: {first_line(error)}"])
    for split, found in predicted.items():
        metrics[split][_name(data)] = task.measure(found, targets[split][rows[split]])
    return Measured(metrics, [_note(data, rows, targets)])


def _name(data: Data) -> str:
    return "logistic" if isinstance(data.spec.target, Classes) else "ridge"


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
    median = torch.from_numpy(np.median(training.numpy(), axis=0))
    return {"mean": training.mean(dim=0).expand(number, -1), "median": median.expand(number, -1)}


def _rows(data: Data, targets: dict[Split, Tensor], split: Split) -> Tensor:
    """The samples of a split on which a linear model is fitted or measured: all, or as many as are quick, at random."""
    number, most = len(targets[split]), data.most_flat
    if split == "train":
        most = min(most, MOST_PRODUCTS // _products(data))
    if number <= most:
        return torch.arange(number)
    return torch.randperm(number, generator=torch.Generator().manual_seed(0))[: max(1, most)].sort().values


def _products(data: Data) -> int:
    """Multiplications that a training sample takes in fitting a linear model; a text has too few to count."""
    (first,) = data.flat_inputs("train", torch.zeros(1, dtype=torch.int64))
    if isinstance(first, str):
        return 1
    num_classes = len(data.spec.target.names)
    weights = len(first) * (num_classes if num_classes > 2 else 1)
    return weights * STEPS if isinstance(data.spec.target, Classes) else len(first) ** 2


def _linear(data: Data, training: Tensor, rows: dict[Split, Tensor]) -> dict[Split, Tensor]:
    """Predictions for validation and test, by scikit-learn's models with their defaults.

    Logistic regression with C=1 for classes, ridge regression with alpha=1 for values; of texts, TF-IDF of their words.

    Raises:
        ValueError: nothing can be fitted: there is a single class among the samples, or no word.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    inputs = {split: _inputs(data, split, rows[split]) for split in SPLITS}
    words = [TfidfVectorizer()] if isinstance(inputs["train"], list) else []
    linear = LogisticRegression(max_iter=STEPS) if isinstance(data.spec.target, Classes) else Ridge()
    model = make_pipeline(*words, linear).fit(inputs["train"], training.numpy())
    shape = training.shape[1:]
    return {split: torch.from_numpy(model.predict(inputs[split])).reshape(-1, *shape) for split in MEASURED}


def _inputs(data: Data, split: Split, rows: Tensor) -> NDArray[np.floating] | list[str]:
    """As `flat_inputs`; for values in float64, where the lags of a series would be too much alike for float32."""
    inputs = data.flat_inputs(split, rows)
    return inputs if isinstance(inputs, list) or isinstance(data.spec.target, Classes) else inputs.astype(np.float64)


@contextmanager
def _on_one_core() -> Iterator[None]:
    """In the body, sums do not depend on the number of threads; that a fit is cut off is known."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _note(data: Data, rows: dict[Split, Tensor], targets: dict[Split, Tensor]) -> str:
    """What the linear model takes, and on how many samples it is fitted and measured where these are not all."""
    done = {"train": "fitted", "val": "measured", "test": "measured"}
    taken = [
        f"{done[split]} on {len(rows[split]):,} of {len(targets[split]):,} {split} samples"
        for split in SPLITS
        if len(rows[split]) < len(targets[split])
    ]
    return f"{BASELINES[_name(data)][0].capitalize()}: {'; '.join([data.flat_noun, *taken])}."


def _key(data: Data, targets: dict[Split, Tensor]) -> str:
    """A hash of all that decides the numbers: targets, inputs (by fingerprints and some samples), scikit-learn."""
    digest = hashlib.sha256()
    digest.update(repr((VERSION, _sklearn(), data.spec.target.names, data.flat_noun, data.most_flat)).encode())
    digest.update(repr(sorted(data.sha256.items())).encode())
    digest.update(np.ascontiguousarray(data.seen.numpy()).tobytes())
    for split in SPLITS:
        digest.update(np.ascontiguousarray(targets[split].numpy()).tobytes())
        for name, found in sorted(data.forecasts(split).items()) if split in MEASURED else ():
            digest.update(name.encode() + np.ascontiguousarray(found.numpy()).tobytes())
        if data.most_flat:
            probed = data.flat_inputs(split, torch.arange(min(NUM_PROBED, data.most_flat, len(targets[split]))))
            digest.update(repr(probed).encode() if isinstance(probed, list) else probed.tobytes())
    return digest.hexdigest()
