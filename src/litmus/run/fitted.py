"""Baselines that are fitted, by scikit-learn: each on as many samples as take a core about 0.3 s."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.protocols import Data, Split
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
# Where that is less than these rounds, trees are smaller, too: after 3 of 100 rounds, .898 of scikit-learn's digits are
# right, after 30 of small trees .965 in 0.25 s, after all .970 in 1.6 s. The penalty keeps large steps from diverging.
QUICK_ROUNDS, QUICK_COLUMNS = 30, 10
QUICK = {"learning_rate": 0.3, "max_leaf_nodes": 8, "max_bins": 64, "l2_regularization": 1.0}
MOST_TREES = 600  # at which there are fewer rounds than that
LEAST_ROUNDS = 10  # fewer say nothing of boosted trees
MOST_ROWS_OF_TREES = 2_000_000  # samples times trees, where these are small

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


def predictions(
    method: Method, sources: Mapping[Split, Data], targets: Tensor, rows: Mapping[Split, Tensor]
) -> dict[Split, Tensor]:
    """What a model, fitted on the training rows, predicts for the rows of validation and test, like `Data.targets`.

    Args:
        method: the model.
        sources: of each split the data whose inputs are taken.
        targets: of the training rows.
        rows: numbers of the samples.

    Raises:
        ValueError: nothing can be fitted: there is a single class among the samples, or no word.
    """
    inputs = {split: _inputs(data, split, rows[split]) for split, data in sources.items()}
    with _on_one_core():
        model = method.model.fit(inputs["train"], targets.numpy())
        found = {split: torch.from_numpy(model.predict(inputs[split])) for split in inputs if split != "train"}
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
    boosting = _boosting(len(first), _num_outputs(data))
    settings = {"early_stopping": False, "random_state": 0, **boosting.settings}
    if isinstance(data.spec.target, Values):
        model: Model = MultiOutputRegressor(HistGradientBoostingRegressor(**settings))
    else:
        model = _for_target(data, HistGradientBoostingClassifier(**settings))
    return Method("trees", model, boosting.most, boosting.said)


class _Boosting(NamedTuple):
    """What of scikit-learn's defaults differs, so that boosting takes about a second; the others as of `Method`."""

    settings: dict[str, float]
    most: int
    said: tuple[str, ...] = ()


def _boosting(num_columns: int, num_outputs: int) -> _Boosting:
    """All rounds, where there are few columns and classes; else fewer of larger steps, at last of small trees."""
    affordable = MOST_COLUMNS // (num_columns * num_outputs)
    if affordable >= ROUNDS:
        return _Boosting({"max_iter": ROUNDS}, MOST_BOOSTED)
    if affordable >= QUICK_ROUNDS:
        settings = {"max_iter": affordable, "learning_rate": 0.1 * ROUNDS / affordable}
        return _Boosting(settings, MOST_BOOSTED, (f"{affordable} rounds in place of {ROUNDS}, of larger steps",))
    rounds = min(QUICK_ROUNDS, MOST_TREES // num_outputs)
    if rounds < LEAST_ROUNDS:
        return _Boosting({}, 0)
    settings = {**QUICK, "max_iter": rounds, "max_features": min(1.0, QUICK_COLUMNS / num_columns)}
    few = "few rounds, so weaker than boosted trees can be: " if rounds < QUICK_ROUNDS else ""
    said = f"{few}{rounds} rounds in place of {ROUNDS}, of larger steps and small trees"
    return _Boosting(settings, min(MOST_BOOSTED, MOST_ROWS_OF_TREES // (rounds * num_outputs)), (said,))


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
