"""Sick settings and their healthy twins, for each of the doctor's rules."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    load_wine,
    make_classification,
    make_friedman1,
)
from sklearn.utils import Bunch

SEEDS = range(5)
TARGET = "target"
PATH = "data.path=FOLDER/"
QUIET = ("logger=none", "callback.progress=null")
FEW_DIGITS = ("data=mnist", "data.limit=3000", "data.limit_eval=1000")


@dataclass(frozen=True)
class Case:
    """A sick setting, and the same in health.

    Attributes:
        rule: that is to find it.
        name: of the setting.
        sick: overrides.
        healthy: overrides.
        is_proof: whether no threshold was set on it.
    """

    rule: str
    name: str
    sick: tuple[str, ...]
    healthy: tuple[str, ...]
    is_proof: bool = True


def main_frame(loaded: Bunch) -> pl.DataFrame:
    """A table of scikit-learn's, its target last."""
    names = [str(name).replace(" ", "_").replace("(", "").replace(")", "") for name in loaded.feature_names]
    columns = dict(zip(names, np.asarray(loaded.data).T, strict=True))
    classes = getattr(loaded, "target_names", None)
    target = loaded.target if classes is None else [f"class {classes[number]}" for number in loaded.target]
    return pl.DataFrame({**columns, TARGET: target})


def friedman() -> Bunch:
    """Friedman's first function of five of ten columns (1991), 2,000 rows."""
    data, target = make_friedman1(2000, noise=0.5, random_state=0)
    return Bunch(data=data, target=target, feature_names=[f"x{i}" for i in range(10)])


def made(seed: int, **settings: float | list[float]) -> Callable[[], Bunch]:
    """Two classes of scikit-learn's generator, 3,000 rows."""

    def load() -> Bunch:
        data, target = make_classification(3000, 10, n_informative=3, random_state=seed, **settings)
        return Bunch(data=data, target=target, feature_names=[f"x{i}" for i in range(10)], target_names=["no", "yes"])

    return load


TABLES: dict[str, Callable[[], Bunch]] = {
    "digits": load_digits,
    "wine": load_wine,
    "cancer": load_breast_cancer,
    "iris": load_iris,
    "friedman": friedman,
    **{f"clear{seed}": made(seed, class_sep=1.5) for seed in range(4)},
    **{f"weak{seed}": made(seed, class_sep=0.3, weights=[0.88], flip_y=0.15) for seed in range(4)},
    **{f"uneven{seed}": made(seed, class_sep=0.4, weights=[0.95], flip_y=0.0) for seed in range(4)},
    **{f"flipped{seed}": made(seed, class_sep=1.0, flip_y=0.7) for seed in range(4)},
}


def shuffled(frame: pl.DataFrame) -> pl.DataFrame:
    """Targets that do not belong to their rows."""
    return frame.with_columns(frame[TARGET].sample(fraction=1.0, shuffle=True, seed=1))


def noisy(share: float) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """That fraction of the targets is drawn anew from all."""

    def damage(frame: pl.DataFrame) -> pl.DataFrame:
        generator = np.random.default_rng(2)
        targets = frame[TARGET].to_list()
        for row in generator.choice(len(frame), int(share * len(frame)), replace=False):
            others = sorted(set(targets) - {targets[row]})
            targets[row] = others[generator.integers(len(others))]
        return frame.with_columns(pl.Series(TARGET, targets))

    return damage


def doubled(frame: pl.DataFrame) -> pl.DataFrame:
    """A third of the rows twice."""
    return pl.concat([frame, frame.sample(fraction=0.33, seed=3)])


def rare(number: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """So many rows of the last class, and columns that say less about all."""

    def damage(frame: pl.DataFrame) -> pl.DataFrame:
        last = sorted(frame[TARGET].unique())[-1]
        kept = frame.filter(pl.col(TARGET) == last).head(number)
        both = pl.concat([frame.filter(pl.col(TARGET) != last), kept])
        generator = np.random.default_rng(4)
        spread = {name: float(frame[name].to_numpy().std()) for name in both.columns if name != TARGET}
        return both.with_columns(
            [pl.col(name) + pl.Series(generator.normal(size=len(both)) * own) for name, own in spread.items()]
        )

    return damage


def stepped(frame: pl.DataFrame) -> pl.DataFrame:
    """A target that jumps where the first two columns cross a grid: easy for trees, hard for smooth functions."""
    first, second = (np.floor(4 * frame[name].rank().to_numpy() / (len(frame) + 1)) for name in frame.columns[:2])
    return frame.with_columns(pl.Series(TARGET, 5.0 * ((first + 2 * second) % 3)))


def head(number: int) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """So many rows of each class."""
    return lambda frame: frame.filter(pl.int_range(pl.len()).over(TARGET) < number)


DAMAGE: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "": lambda frame: frame,
    "-shuffled": shuffled,
    "-noisy": noisy(0.3),
    "-doubled": doubled,
    "-rare": rare(40),
    "-few": head(6),
    "-stepped": stepped,
}


def write_tables(folder: Path) -> None:
    """The tables that cases name, as CSV."""
    words = {word for case in CASES for word in case.sick + case.healthy if word.startswith(PATH)}
    for word in sorted(words):
        full = word.removeprefix(PATH).removesuffix(".csv")
        name, dash, suffix = full.partition("-")
        frame = DAMAGE[dash + suffix](main_frame(TABLES[name]()))
        frame.sample(fraction=1.0, shuffle=True, seed=0).write_csv(folder / f"{full}.csv")


def of(name: str) -> tuple[str, ...]:
    """Overrides of a table; `FOLDER` stands for where it lies."""
    return ("data=table", f"{PATH}{name}.csv", f"data.target={TARGET}")


def deep(number: int, width: int) -> str:
    return f"model.widths=[{','.join([str(width)] * number)}]"


FNN = ("model=fnn",)
CNN = ("model=cnn", "data.limit=2000", "data.limit_eval=1000", "trainer.max_epochs=6")
LSTM = ("model=lstm", "data=mnist", "data.limit=2000", "data.limit_eval=1000", "trainer.max_epochs=8")
MNIST = (*FNN, *FEW_DIGITS)
DIGITS, WINE, CANCER = ((*FNN, *of(name)) for name in ("digits", "wine", "cancer"))
MOONS, CIRCLES, SPIRALS = ((*FNN, "data=toy", f"data.kind={kind}") for kind in ("moons", "circles", "spirals"))


def both(
    rule: str, name: str, base: Sequence[str], sick: Sequence[str], healthy: Sequence[str] = (), proof: bool = True
) -> Case:
    return Case(rule, name, (*base, *sick), (*base, *healthy), proof)


CASES = (
    both("learning_rate_too_high", "fnn, MNIST", MNIST, ["optimizer.lr=1"], proof=False),
    both("learning_rate_too_high", "fnn, digits", DIGITS, ["optimizer.lr=3"], proof=False),
    both("learning_rate_too_high", "cnn, MNIST", CNN, ["optimizer.lr=0.5"]),
    both("learning_rate_too_high", "lstm, MNIST", LSTM, ["optimizer.lr=1"]),
    both("learning_rate_too_high", "fnn, spirals", SPIRALS, ["optimizer.lr=3"]),
    both("learning_rate_too_low", "fnn, MNIST", MNIST, ["optimizer.lr=1e-7"], proof=False),
    both("learning_rate_too_low", "cnn, MNIST", CNN, ["optimizer.lr=1e-7"]),
    both("learning_rate_too_low", "fnn, digits", DIGITS, ["optimizer.lr=1e-6"]),
    both(
        "learning_rate_too_low", "fnn with SGD, moons", MOONS, ["optimizer=sgd", "optimizer.lr=1e-5"], ["optimizer=sgd"]
    ),
    both("vanishing_gradients", "fnn, MNIST", MNIST, [deep(20, 64), "model.activation=sigmoid"], proof=False),
    both("vanishing_gradients", "fnn, digits", DIGITS, [deep(12, 32), "model.activation=sigmoid"]),
    both("vanishing_gradients", "fnn, spirals", SPIRALS, [deep(15, 32), "model.activation=sigmoid"]),
    both("vanishing_gradients", "cnn, MNIST", CNN, ["model.activation=sigmoid", "model.convolutions=5"]),
    both("exploding_gradients", "fnn, MNIST", MNIST, [deep(40, 64), "model.residual=true"], proof=False),
    both("exploding_gradients", "fnn, digits", DIGITS, [deep(40, 64), "model.residual=true"]),
    both("exploding_gradients", "fnn, cancer", CANCER, [deep(45, 32), "model.residual=true"]),
    both("exploding_gradients", "cnn, MNIST", CNN, ["model.convolutions=12", "model.residual=true"]),
    both("dying_relu", "fnn, MNIST", MNIST, ["optimizer.lr=0.1"], proof=False),
    both("dying_relu", "fnn, spirals", SPIRALS, ["optimizer.lr=0.3"]),
    both("dying_relu", "cnn, MNIST", CNN, ["optimizer.lr=0.03"]),
    both("dying_relu", "scratch, MNIST", ("model=scratch", *FEW_DIGITS), ["optimizer.lr=0.07"]),
    both("saturated_activations", "fnn, MNIST", (*MNIST, "model.activation=tanh"), ["optimizer.lr=0.1"], proof=False),
    both("saturated_activations", "fnn, digits", (*DIGITS, "model.activation=tanh"), ["optimizer.lr=0.3"]),
    both(
        "saturated_activations",
        "fnn, spirals",
        (*SPIRALS, "model.activation=tanh"),
        ["optimizer.lr=0.3"],
        ["trainer.max_epochs=40"],
    ),
    both(
        "saturated_activations",
        "scratch, MNIST",
        ("model=scratch", *FEW_DIGITS, "model.activation=sigmoid"),
        ["optimizer.lr=0.5"],
    ),
    both("poor_initialization", "fnn, MNIST", MNIST, [deep(6, 64), "model.init=normal"], [deep(6, 64)], proof=False),
    both("poor_initialization", "fnn, digits", DIGITS, [deep(6, 64), "model.init=normal"], [deep(6, 64)]),
    both("poor_initialization", "fnn, spirals", SPIRALS, [deep(5, 32), "model.init=normal"], [deep(5, 32)]),
    both(
        "poor_initialization",
        "cnn, MNIST",
        CNN,
        ["model.convolutions=3", "model.init=normal"],
        ["model.convolutions=3"],
    ),
    both(
        "overfitting",
        "fnn, MNIST",
        FNN,
        ["data.limit=300", "data.limit_eval=1000", "trainer.max_epochs=30"],
        ["data.limit=20000", "data.limit_eval=1000"],
        proof=False,
    ),
    both(
        "overfitting",
        "lstm, texts",
        ("model=lstm", "data=sentiment", "data.limit_eval=500"),
        ["data.limit=600", "trainer.max_epochs=15"],
        ["trainer.max_epochs=2"],
    ),
    both(
        "overfitting",
        "cnn, MNIST",
        ("model=cnn", "data.limit_eval=1000"),
        ["data.limit=150", "trainer.max_epochs=20"],
        ["data.limit=5000", "trainer.max_epochs=4"],
    ),
    both("overfitting", "scratch, digits", ("model=scratch", *of("digits")), ["data.limit=60"]),
    both(
        "overtraining",
        "fnn, MNIST",
        MNIST,
        ["data.limit=1000", "trainer.max_epochs=60", "scheduler=none"],
        ["trainer.max_epochs=6"],
        proof=False,
    ),
    both(
        "overtraining",
        "scratch, MNIST",
        ("model=scratch", *FEW_DIGITS),
        ["optimizer.lr=0.01", "trainer.max_epochs=60", "scheduler=none"],
        ["trainer.max_epochs=6"],
    ),
    both(
        "overtraining", "fnn, flipped", FNN, [*of("flipped0"), "trainer.max_epochs=60", "scheduler=none"], of("clear0")
    ),
    both("overtraining", "cnn, MNIST", CNN, ["optimizer.lr=0.005", "trainer.max_epochs=30", "scheduler=none"]),
    both("underfitting", "fnn, digits", DIGITS, ["model.widths=[2]"], proof=False),
    both("underfitting", "fnn, MNIST", MNIST, ["model.widths=[2]"]),
    both("underfitting", "cnn, MNIST", CNN, ["model.widths=[2]", "model.dense=2", "model.activation=tanh"]),
    both(
        "underfitting",
        "linear, circles",
        ("data=toy", "data.kind=spirals"),
        ["model=fnn", "model.widths=[1]"],
        ["model=fnn"],
    ),
    both("no_learning", "linear, xor", ("data=toy", "data.kind=xor"), ["model=linear"], ["model=fnn"], proof=False),
    both(
        "no_learning",
        "linear, shuffled digits",
        ("model=linear",),
        [*of("digits-shuffled"), "trainer.max_epochs=3"],
        of("digits"),
    ),
    both("no_learning", "linear, circles", ("data=toy", "data.kind=circles"), ["model=linear"], ["model=fnn"]),
    both("no_learning", "fnn, shuffled friedman", FNN, of("friedman-shuffled"), of("friedman")),
    *(
        both("class_imbalance", f"{model}, uneven {i}", (f"model={model}",), of(f"uneven{i}"), of(f"clear{i}"), i > 0)
        for i, model in enumerate(("fnn", "fnn", "linear", "scratch"))
    ),
    both("label_noise", "fnn, digits", FNN, of("digits-noisy"), of("digits"), proof=False),
    both(
        "label_noise",
        "wide fnn with SGD, digits",
        (*FNN, "model.widths=[256]", "optimizer=sgd"),
        of("digits-noisy"),
        of("digits"),
    ),
    both("label_noise", "linear, digits", ("model=linear",), of("digits-noisy"), of("digits")),
    both("label_noise", "scratch, digits", ("model=scratch",), of("digits-noisy"), of("digits")),
    both("split_leak", "fnn, digits", FNN, of("digits-doubled"), of("digits"), proof=False),
    both("split_leak", "fnn, cancer", FNN, of("cancer-doubled"), of("cancer")),
    both("split_leak", "linear, wine", ("model=linear",), of("wine-doubled"), of("wine")),
    both("split_leak", "fnn, friedman", FNN, of("friedman-doubled"), of("friedman")),
    both("too_few_samples", "fnn, digits", FNN, of("digits-few"), of("digits"), proof=False),
    both("too_few_samples", "fnn, wine", FNN, of("wine-few"), of("wine")),
    both("too_few_samples", "linear, iris", ("model=linear",), of("iris-few"), of("iris")),
    both(
        "too_few_samples",
        "cnn, MNIST",
        ("model=cnn", "data.limit_eval=500", "trainer.max_epochs=5"),
        ["data.limit=60"],
        ["data.limit=2000"],
    ),
    both("over_regularized", "fnn, MNIST", MNIST, ["model.dropout=0.95"], ["model.dropout=0.2"], proof=False),
    both("over_regularized", "fnn, digits", DIGITS, ["model.dropout=0.95"], ["model.dropout=0.2"]),
    both("over_regularized", "cnn, MNIST", CNN, ["model.dropout=0.9"], ["model.dropout=0.2"]),
    both("over_regularized", "fnn, cancer, L2", CANCER, ["model.l2=1"], ["model.l2=1e-5"]),
    both(
        "batch_norm_small_batch",
        "fnn, digits",
        (*DIGITS, "model.batchnorm=true", "trainer.max_epochs=2"),
        ["data.batch_size=2"],
        proof=False,
    ),
    both(
        "batch_norm_small_batch",
        "fnn, wine",
        (*WINE, "model.batchnorm=true", "trainer.max_epochs=2"),
        ["data.batch_size=4"],
    ),
    both(
        "batch_norm_small_batch",
        "cnn, MNIST",
        ("model=cnn", "model.batchnorm=true", "data.limit=400", "data.limit_eval=500", "trainer.max_epochs=2"),
        ["data.batch_size=4"],
    ),
    both(
        "batch_norm_small_batch",
        "scratch, cancer",
        ("model=scratch", *of("cancer"), "model.batchnorm=true", "trainer.max_epochs=2"),
        ["data.batch_size=4"],
    ),
    both("divergence", "fnn with SGD, MNIST", (*MNIST, "optimizer=sgd"), ["optimizer.lr=1e4"], proof=False),
    both("divergence", "fnn with SGD, digits", (*DIGITS, "optimizer=sgd"), ["optimizer.lr=1e4"]),
    both("divergence", "cnn with SGD, MNIST", (*CNN, "optimizer=sgd"), ["optimizer.lr=1e4"]),
    both(
        "divergence",
        "fnn with SGD, friedman",
        (*FNN, *of("friedman"), "optimizer=sgd"),
        ["optimizer.lr=100"],
        ["optimizer.lr=0.01"],
    ),
    *(
        both("class_collapse", f"{model}, weak {i}", (f"model={model}",), of(f"weak{i}"), of(f"clear{i}"), i > 0)
        for i, model in enumerate(("fnn", "fnn", "linear", "scratch"))
    ),
    *(
        both(
            "plateau",
            f"linear, flipped {i}",
            ("model=linear", "trainer.max_epochs=20", "scheduler=none", "optimizer.lr=0.001"),
            of(f"flipped{i}"),
            of(f"clear{i}"),
            i > 0,
        )
        for i in range(4)
    ),
    both("uncertain_validation", "fnn, digits", DIGITS, ["data.limit_eval=30"], proof=False),
    both("uncertain_validation", "fnn, MNIST", MNIST, ["data.limit_eval=40"]),
    both("uncertain_validation", "cnn, MNIST", CNN, ["data.limit_eval=40"]),
    both("uncertain_validation", "linear, digits", ("model=linear", *of("digits")), ["data.limit_eval=30"]),
    both("worse_than_baseline", "fnn, stepped friedman", FNN, of("friedman-stepped"), of("friedman"), proof=False),
    both(
        "worse_than_baseline", "linear, friedman", (), ["model=linear", *of("friedman")], ["model=fnn", *of("friedman")]
    ),
    both(
        "worse_than_baseline", "scratch, stepped friedman", ("model=scratch",), of("friedman-stepped"), of("friedman")
    ),
    both(
        "worse_than_baseline",
        "fnn, spirals",
        SPIRALS,
        ["data.samples=3000", "trainer.max_epochs=3"],
        ["data.kind=moons"],
    ),
    both(
        "still_improving",
        "fnn with SGD, MNIST",
        (*MNIST, "optimizer=sgd", "scheduler=none"),
        ["optimizer.lr=0.001", "trainer.max_epochs=4"],
        ["optimizer.lr=0.05", "trainer.max_epochs=15"],
        proof=False,
    ),
    both(
        "still_improving",
        "fnn, spirals",
        (*SPIRALS, "scheduler=none"),
        ["trainer.max_epochs=4"],
        ["trainer.max_epochs=60"],
    ),
    both(
        "still_improving",
        "cnn, MNIST",
        (*CNN, "scheduler=none"),
        ["optimizer.lr=1e-4", "trainer.max_epochs=4"],
        ["optimizer.lr=1e-3", "trainer.max_epochs=10"],
    ),
    both(
        "still_improving",
        "fnn, digits",
        (*DIGITS, "scheduler=none"),
        ["optimizer.lr=1e-4", "trainer.max_epochs=4"],
        ["optimizer.lr=1e-3", "trainer.max_epochs=20"],
    ),
)
