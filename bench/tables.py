"""`model=fnn data=table` against scikit-learn on its tables and statsmodels': accuracy, time and memory.

The splits are made here, and all read the same files. What scikit-learn fits needs no validation split: it is fitted
twice, on the training rows, as litmus is, and on those of validation as well.
"""

import math
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import polars as pl
import torch
from rich.console import Console
from rich.progress import track
from sklearn.base import BaseEstimator, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from bench._common import alternate, markdown, peak_gb_of_command, ratios, run_command, spread, train
from bench._rivals import UsualRegression, seconds_of_epoch
from litmus.config.types import USUAL_BATCH
from litmus.data._loader import batch_size_for
from litmus.data.columns.read import read_table
from litmus.fetch.package import package_file

SEEDS = range(5)
SHARE = 0.15  # of the rows for validation, and for the test
TARGET = "target"
LITMUS, MLP, SCALED, TREES = "litmus", "MLP", "MLP, target standardized", "boosted trees"
MORE = ", validation rows too"  # what a rival has that is fitted on them as well
RIVALS = (MLP, SCALED, TREES, MLP + MORE, SCALED + MORE, TREES + MORE)
MOST_BEHIND = 0.03  # boosted trees, as a fraction of their figure
ROUNDING = 1e-6  # litmus's figures are float32
NUM_TIMED = 10_000  # rows of the table whose run is timed
NUM_LARGE, NUM_COLUMNS = 1_000_000, 50
REPEATS = 3


def measure() -> str:
    """Accuracy on ten tables; seconds of a run of 10,000 rows; memory and speed with a million."""
    return f"## Tables, `model=fnn data=table`, default settings\n\n{_accuracy()}\n{_time_and_memory()}"


def _accuracy() -> str:
    cases = tables()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in cases}
    for name, seed in track([(name, seed) for name in cases for seed in SEEDS], "tables", console=Console(stderr=True)):
        found[name].append(scores(cases[name], seed))
    rows = []
    met: dict[str, list[str]] = {rival: [] for rival in RIVALS}
    for name, case in cases.items():
        means = {who: mean(each[who] for each in found[name]) for who in found[name][0]}
        for rival, names in met.items():
            ratio = means[LITMUS] / means.get(rival, math.nan)
            slack = MOST_BEHIND if rival.startswith(TREES) else ROUNDING
            if ratio >= 1 - slack if case.is_class else ratio <= 1 + slack:
                names.append(name)
        cells = (f"{means[who]:.4g}" if who in means else "" for who in (LITMUS, *RIVALS))
        rows.append((name, f"{case.frame.height:,}", "accuracy" if case.is_class else "RMSE", *cells))
    head = ("test split, mean of 5 seeds", "rows", "", LITMUS, *RIVALS)
    numbers = [name for name, case in cases.items() if not case.is_class]
    counted = [
        (rival, f"{len(names)} of {len(of)}", _but(of, names))
        for rival, names in met.items()
        for of in [numbers if rival.startswith(SCALED) else list(cases)]
    ]
    asked = (
        f"Asked for, on six: at least as good as the MLP on each; at most {MOST_BEHIND:.0%} behind the trees on five."
    )
    return f"{markdown(head, rows)}\n{asked}\n\n{markdown(('rival', 'reached on', 'all but'), counted)}"


def _but(cases: Iterable[str], met: Sequence[str]) -> str:
    return ", ".join(name for name in cases if name not in met) or "none"


def _time_and_memory() -> str:
    """Runs as a user starts them, baselines and all."""
    with tempfile.TemporaryDirectory() as name:
        small, large = (_write_noise(Path(name, f"{rows}.csv"), rows) for rows in (NUM_TIMED, NUM_LARGE))
        seconds = [_seconds(small) for _ in range(REPEATS)]
        one_epoch = [*_overrides(large), "trainer.max_epochs=1"]
        peak = peak_gb_of_command(*one_epoch)
        frame = pl.read_csv(large)
        speeds = {size: _speeds(one_epoch, frame, size) for size in (batch_size_for(_num_training(frame)), USUAL_BATCH)}
    rows = [
        (f"{NUM_TIMED:,} rows of {NUM_COLUMNS} columns, from Enter to the end, s", spread(seconds, 1), "under 10"),
        (f"{NUM_LARGE:,} rows of {NUM_COLUMNS} columns, peak memory, GB", f"{peak:.2f}", "under 4"),
    ]
    for size, figures in speeds.items():
        chosen = ", its default for so many" if size != USUAL_BATCH else ""
        rows += [
            (f"the same, rows a second in batches of {size}{chosen}: litmus", spread(figures["litmus"], 0), ""),
            ("Lightning, DataLoader over a TensorDataset, batches of the same size", spread(figures["usual"], 0), ""),
            ("ratio", spread(ratios(figures["litmus"], figures["usual"]), 2), "at least 5"),
        ]
    return markdown(("", "", "asked for"), rows)


def _speeds(command: list[str], frame: pl.DataFrame, batch_size: int) -> dict[str, list[float]]:
    sized = [*command, f"data.batch_size={batch_size}"]
    contestants = {
        "litmus": lambda: float(run_command(*sized)["samples_per_second"]),
        "usual": _usual(frame, batch_size),
    }
    return alternate(contestants, REPEATS, f"a million rows, batches of {batch_size}")


def _num_training(frame: pl.DataFrame) -> int:
    return round((1 - 2 * SHARE) * frame.height)


def _write_noise(path: Path, rows: int) -> Path:
    """Normal noise, and a target that depends on three of the columns."""
    generator = np.random.default_rng(0)
    inputs = generator.standard_normal((rows, NUM_COLUMNS), dtype=np.float32)
    target = np.sin(inputs[:, 0]) + inputs[:, 1] * inputs[:, 2]
    frame = pl.DataFrame(inputs, schema=[f"x{number}" for number in range(NUM_COLUMNS)], orient="row")
    frame.with_columns(pl.Series(TARGET, target)).write_csv(path, float_precision=5)
    return path


def _overrides(path: Path) -> list[str]:
    return ["model=fnn", "data=table", f"data.path={path}", f"data.target={TARGET}"]


def _seconds(path: Path) -> float:
    began = time.perf_counter()
    run_command(*_overrides(path))
    return time.perf_counter() - began


def _usual(frame: pl.DataFrame, batch_size: int) -> Callable[[], float]:
    """Lightning as it is usually written, over as many training rows; gives rows a second."""
    number = _num_training(frame)
    values = torch.from_numpy(frame[:number].to_numpy().astype(np.float32))
    loader = DataLoader(TensorDataset(values[:, :-1], values[:, -1:]), batch_size=batch_size, shuffle=True)
    net = nn.Sequential(nn.Linear(NUM_COLUMNS, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))
    return lambda: number / seconds_of_epoch(UsualRegression(net), loader)


@dataclass(frozen=True)
class Case:
    """A table of numbers with a column called `target`.

    Attributes:
        is_class: whether the target is a class; a number otherwise.
    """

    frame: pl.DataFrame
    is_class: bool


def tables() -> dict[str, Case]:
    """All tables of at least 150 independent rows in scikit-learn 1.9 and statsmodels 0.15."""
    return {
        "iris": _of_sklearn(load_iris, is_class=True),
        "wine": _of_sklearn(load_wine, is_class=True),
        "breast_cancer": _of_sklearn(load_breast_cancer, is_class=True),
        "anes96": _of_statsmodels("anes96", "vote", is_class=True),
        "digits": _of_sklearn(load_digits, is_class=True),
        "engel": _of_statsmodels("engel", "foodexp", is_class=False),
        "star98": _of_statsmodels("star98", "PR50M", is_class=False),
        "diabetes": _of_sklearn(load_diabetes, is_class=False),
        "fair": _of_statsmodels("fair", "affairs", is_class=False),
        "randhie": _of_statsmodels("randhie", "mdvis", is_class=False),
    }


def _of_sklearn(load: Callable[..., tuple[np.ndarray, np.ndarray]], *, is_class: bool) -> Case:
    inputs, targets = load(return_X_y=True)
    frame = pl.DataFrame(inputs, schema=[f"x{number}" for number in range(inputs.shape[1])], orient="row")
    return Case(frame.with_columns(pl.Series(TARGET, targets)), is_class)


def _of_statsmodels(name: str, target: str, *, is_class: bool) -> Case:
    path = package_file("statsmodels", "datasets", name, f"{name}.csv")
    frame = read_table(path, (), encoding="auto", separator="auto").frame
    frame = frame.rename({column: column.strip("'") for column in frame.columns})
    return Case(frame.rename({target: TARGET}), is_class)


def scores(case: Case, seed: int, *overrides: str) -> dict[str, float]:
    """By contestant, its accuracy on the test split, or its RMSE there."""
    labels = case.frame[TARGET].to_numpy() if case.is_class else None
    rows, test = train_test_split(np.arange(case.frame.height), test_size=SHARE, random_state=seed, stratify=labels)
    size = SHARE / (1 - SHARE)
    kept = labels[rows] if labels is not None else None
    training, validation = train_test_split(rows, test_size=size, random_state=seed, stratify=kept)
    splits = {"train": training, "val": validation, "test": test}
    found = {LITMUS: _of_litmus(case, seed, splits, overrides)}
    inputs, targets = case.frame.drop(TARGET).to_numpy(), case.frame[TARGET].to_numpy()
    for more, fitted in (("", training), (MORE, rows)):
        for name, model in _rivals(case, seed).items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # 200 epochs, its default, are what it gets
                predicted = model.fit(inputs[fitted], targets[fitted]).predict(inputs[test])
            found[f"{name}{more}"] = _score(case, predicted, targets[test])
    return found


def _of_litmus(case: Case, seed: int, splits: dict[str, np.ndarray], overrides: Sequence[str]) -> float:
    with tempfile.TemporaryDirectory() as name:
        paths = {split: Path(name, f"{split}.csv") for split in splits}
        for split, rows in splits.items():
            case.frame[rows].write_csv(paths[split])
        files = [f"data.path={paths['train']}", f"data.val_path={paths['val']}", f"data.test_path={paths['test']}"]
        kind = f"data.kind={'classes' if case.is_class else 'numbers'}"
        task = f"task={'classification' if case.is_class else 'regression'}"
        command = ["model=fnn", "data=table", *files, f"data.target={TARGET}", kind, task, "task.baselines=false"]
        metrics = train(*command, f"seed={seed}", *overrides)["metrics"]
    return float(metrics["test/acc" if case.is_class else "test/rmse"])


def _rivals(case: Case, seed: int) -> dict[str, BaseEstimator]:
    """With scikit-learn's defaults; the multi-layer perceptron on standardized inputs, without which it fails."""
    if case.is_class:
        network, trees = MLPClassifier(random_state=seed), HistGradientBoostingClassifier(random_state=seed)
    else:
        network, trees = MLPRegressor(random_state=seed), HistGradientBoostingRegressor(random_state=seed)
    plain = make_pipeline(StandardScaler(), network)
    scaled = {} if case.is_class else {SCALED: TransformedTargetRegressor(clone(plain), transformer=StandardScaler())}
    return {MLP: plain, **scaled, TREES: trees}


def _score(case: Case, predicted: np.ndarray, targets: np.ndarray) -> float:
    if case.is_class:
        return float((predicted == targets).mean())
    return float(np.sqrt(np.square(predicted - targets).mean()))
