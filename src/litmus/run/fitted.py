"""Baselines that are fitted, by scikit-learn: each on as many samples as take a core about 0.3 s."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.protocols import SPLITS, Data, Split
from litmus.spec import Classes, Labels, Values

MOST_PRODUCTS = 1_000_000_000  # of an input and a weight, in all steps
STEPS = 40  # of logistic regression, after which its accuracy hardly changes
MOST_WEIGHTS = 500_000  # of words and classes
SPARSE = 4  # a product of sparse matrices takes as long as so many of dense ones
DENSE = 4  # one of ridge regression is as many times as fast
NUM_READ = 100  # texts whose words are counted
ROUNDS = 100  # of boosting, scikit-learn's default
MOST_BOOSTED = 20_000  # samples, at which a tree takes twice the time of one of no samples
MOST_COLUMNS = 2_000  # trees times the columns that each searches for splits

Inputs = NDArray[np.floating] | list[str]


class Model(Protocol):
    """As much of scikit-learn's estimators as is needed."""

    def fit(self, inputs: Inputs, targets: NDArray[np.generic]) -> "Model": ...

    def predict(self, inputs: Inputs) -> NDArray[np.generic]: ...


@dataclass(frozen=True)
class Method:
    """A model that is fitted.

    Attributes:
        name: a key of `litmus.record.baselines.BASELINES`.
        model: not fitted yet.
        most: samples that it may be fitted on.
        said: what is less than by default.
    """

    name: str
    model: Model
    most: int
    said: tuple[str, ...] = ()


def methods(data: Data) -> list[Method]:
    """Logistic regression for classes and labels, ridge for values; for columns of a table boosted trees, too.

    With scikit-learn's defaults: C=1, alpha=1. Of texts, TF-IDF of their words. Of labels, a model for each.
    """
    return [_linear(data), *([_trees(data)] if data.is_tabular else [])]


def predictions(method: Method, data: Data, targets: Tensor, rows: dict[Split, Tensor]) -> dict[Split, Tensor]:
    """What a model, fitted on the training rows, predicts for the rows of validation and test, like `Data.targets`.

    Args:
        method: the model.
        data: whose inputs are taken.
        targets: of the training rows.
        rows: numbers of the samples.

    Raises:
        ValueError: nothing can be fitted: there is a single class among the samples, or no word.
    """
    inputs = {split: _inputs(data, split, rows[split]) for split in SPLITS}
    with _on_one_core():
        model = method.model.fit(inputs["train"], targets.numpy())
        found = {split: torch.from_numpy(model.predict(inputs[split])) for split in SPLITS if split != "train"}
    return {split: predicted.reshape(-1, *targets.shape[1:]) for split, predicted in found.items()}


def _linear(data: Data) -> Method:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline

    first = data.flat_inputs("train", torch.arange(min(NUM_READ, data.sizes["train"], data.most_flat)))
    is_text, is_class, outputs = isinstance(first, list), not isinstance(data.spec.target, Values), _num_outputs(data)
    width = SPARSE * sum(len(text.split()) for text in first) // len(first) if is_text else len(first[0])
    products = width * outputs * STEPS if is_class or is_text else width**2 // DENSE
    words = [TfidfVectorizer(max_features=max(1, MOST_WEIGHTS // outputs))] if is_text else []
    linear = Ridge() if not is_class else _for_target(data, LogisticRegression(max_iter=STEPS))
    name = "logistic" if is_class else "ridge"
    return Method(name, make_pipeline(*words, linear), MOST_PRODUCTS // max(1, products))


def _trees(data: Data) -> Method:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.multioutput import MultiOutputRegressor

    (first,) = data.flat_inputs("train", torch.zeros(1, dtype=torch.int64))
    rounds = min(ROUNDS, max(1, MOST_COLUMNS // (len(first) * _num_outputs(data))))
    settings = {"max_iter": rounds, "early_stopping": False, "random_state": 0}
    if isinstance(data.spec.target, Values):
        model: Model = MultiOutputRegressor(HistGradientBoostingRegressor(**settings))
    else:
        model = _for_target(data, HistGradientBoostingClassifier(**settings))
    said = (f"{rounds} of {ROUNDS} rounds",) if rounds < ROUNDS else ()
    return Method("trees", model, MOST_BOOSTED, said)


def _for_target(data: Data, classifier: Model) -> Model:
    """The classifier; for labels one for each, or a constant where all training samples have it, or none."""
    from sklearn.multiclass import OneVsRestClassifier

    return OneVsRestClassifier(classifier) if isinstance(data.spec.target, Labels) else classifier


def _num_outputs(data: Data) -> int:
    """Scores of a sample: one of each class, a single one of two classes; or the labels, or the values."""
    number = len(data.spec.target.names)
    return 1 if isinstance(data.spec.target, Classes) and number == 2 else number


def _inputs(data: Data, split: Split, rows: Tensor) -> Inputs:
    """As `flat_inputs`; for values in float64, where the lags of a series would be too much alike for float32."""
    inputs = data.flat_inputs(split, rows)
    return inputs if isinstance(inputs, list) or not isinstance(data.spec.target, Values) else inputs.astype(np.float64)


@contextmanager
def _on_one_core() -> Iterator[None]:
    """In the body, sums do not depend on the number of threads; that a fit is cut off after `STEPS` is no warning."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
