"""Sick settings and their healthy twins, for each of the doctor's rules: those on which thresholds were set."""

from collections.abc import Sequence
from dataclasses import dataclass

from bench._sick_tables import PATH, PHOTOS, TARGET

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
    """

    rule: str
    name: str
    sick: tuple[str, ...]
    healthy: tuple[str, ...]


def both(rule: str, name: str, base: Sequence[str], sick: Sequence[str], healthy: Sequence[str] = ()) -> Case:
    return Case(rule, name, (*base, *sick), (*base, *healthy))


def of(name: str) -> tuple[str, ...]:
    """Overrides of a table; `FOLDER` stands for where it lies."""
    return ("data=table", f"{PATH}{name}.csv", f"data.target={TARGET}")


def deep(number: int, width: int) -> str:
    return f"model.widths=[{','.join([str(width)] * number)}]"


def photos(size: int) -> tuple[str, ...]:
    """Overrides of the photos, so many pixels wide."""
    return ("data=image_folder", f"{PATH}{PHOTOS}", f"data.size={size}", "trainer.max_epochs=3")


FNN = ("model=fnn",)
CNN = ("model=cnn", "data.limit=2000", "data.limit_eval=1000", "trainer.max_epochs=6")
LSTM = ("model=lstm", "data=mnist", "data.limit=2000", "data.limit_eval=1000", "trainer.max_epochs=8")
SCRATCH = ("model=scratch", *FEW_DIGITS)
MNIST = (*FNN, *FEW_DIGITS)
DIGITS, WINE, CANCER = ((*FNN, *of(name)) for name in ("digits", "wine", "cancer"))
MOONS, CIRCLES, SPIRALS = ((*FNN, "data=toy", f"data.kind={kind}") for kind in ("moons", "circles", "spirals"))
NORMAL = "model.init=normal"
LONG = ("trainer.max_epochs=60", "scheduler=none")
SET = (
    both("learning_rate_too_high", "fnn, MNIST", MNIST, ["optimizer.lr=1"]),
    both("learning_rate_too_high", "fnn, digits", DIGITS, ["optimizer.lr=3"]),
    both("learning_rate_too_high", "cnn, MNIST", CNN, ["optimizer.lr=0.5"]),
    both("learning_rate_too_high", "lstm, MNIST", LSTM, ["optimizer.lr=1"]),
    both("learning_rate_too_high", "fnn, spirals", SPIRALS, ["optimizer.lr=3"]),
    both("learning_rate_too_low", "fnn, MNIST", MNIST, ["optimizer.lr=1e-7"]),
    both("learning_rate_too_low", "cnn, MNIST", CNN, ["optimizer.lr=1e-7"]),
    both("learning_rate_too_low", "fnn, digits", DIGITS, ["optimizer.lr=1e-6"]),
    both(
        "learning_rate_too_low", "fnn with SGD, moons", MOONS, ["optimizer=sgd", "optimizer.lr=1e-5"], ["optimizer=sgd"]
    ),
    both("vanishing_gradients", "fnn, MNIST", MNIST, [deep(20, 64), "model.activation=sigmoid"]),
    both("vanishing_gradients", "fnn, digits", DIGITS, [deep(12, 32), "model.activation=sigmoid"]),
    both("vanishing_gradients", "fnn, spirals", SPIRALS, [deep(15, 32), "model.activation=sigmoid"]),
    both("vanishing_gradients", "cnn, MNIST", CNN, ["model.activation=sigmoid", "model.convolutions=5"]),
    both("exploding_gradients", "fnn, MNIST", MNIST, [deep(40, 64), "model.residual=true"]),
    both("exploding_gradients", "fnn, digits", DIGITS, [deep(40, 64), "model.residual=true"]),
    both("exploding_gradients", "fnn, cancer", CANCER, [deep(45, 32), "model.residual=true"]),
    both("exploding_gradients", "cnn, MNIST", CNN, ["model.convolutions=12", "model.residual=true"]),
    both("dying_relu", "fnn, MNIST", MNIST, ["optimizer.lr=0.1"]),
    both("dying_relu", "fnn, spirals", SPIRALS, ["optimizer.lr=0.3"]),
    both("dying_relu", "cnn, MNIST", CNN, ["optimizer.lr=0.03"]),
    both("dying_relu", "scratch, MNIST", SCRATCH, ["optimizer.lr=0.07"]),
    both("saturated_activations", "fnn, MNIST", (*MNIST, "model.activation=tanh"), ["optimizer.lr=0.1"]),
    both("saturated_activations", "fnn, digits", (*DIGITS, "model.activation=tanh"), ["optimizer.lr=0.3"]),
    both("saturated_activations", "cnn, MNIST", (*CNN, "model.activation=tanh"), ["optimizer.lr=0.03"]),
    both("saturated_activations", "fnn, cancer", (*CANCER, "model.activation=tanh"), ["optimizer.lr=0.3"]),
    both("saturated_activations", "scratch, MNIST", (*SCRATCH, "model.activation=sigmoid"), ["optimizer.lr=0.2"]),
    both("poor_initialization", "fnn, MNIST", (*MNIST, deep(6, 64)), [NORMAL]),
    both("poor_initialization", "fnn, digits", (*DIGITS, deep(6, 64)), [NORMAL]),
    both("poor_initialization", "fnn, spirals", (*SPIRALS, deep(5, 32)), [NORMAL]),
    both("poor_initialization", "cnn, MNIST", (*CNN, "model.convolutions=3"), [NORMAL]),
    both(
        "overfitting",
        "fnn, MNIST",
        (*FNN, "data.limit_eval=1000"),
        ["data.limit=300", "trainer.max_epochs=30"],
        ["data.limit=20000"],
    ),
    both(
        "overfitting",
        "lstm, texts",
        ("model=lstm", "data=sentiment", "data.limit_eval=500"),
        ["data.limit=600", "trainer.max_epochs=15"],
        ["trainer.max_epochs=4", "model.dropout=0.5"],
    ),
    both(
        "overfitting",
        "cnn, MNIST",
        ("model=cnn", "data.limit_eval=1000"),
        ["data.limit=150", "trainer.max_epochs=20"],
        ["data.limit=5000", "trainer.max_epochs=4"],
    ),
    both(
        "overfitting",
        "scratch, MNIST",
        ("model=scratch", "data.limit_eval=1000"),
        ["data.limit=250", "trainer.max_epochs=20"],
        ["data.limit=10000"],
    ),
    both("overtraining", "scratch, flipped", ("model=scratch",), [*of("flipped1"), *LONG], of("clear1")),
    both("overtraining", "fnn, weak", FNN, [*of("weak0"), *LONG], of("clear2")),
    both("overtraining", "fnn, flipped", FNN, [*of("flipped0"), *LONG], of("clear0")),
    both("overtraining", "lstm, MNIST", LSTM, LONG),
    both("underfitting", "fnn, digits", DIGITS, ["model.widths=[2]"]),
    both("underfitting", "fnn, MNIST", MNIST, ["model.widths=[2]"]),
    both("underfitting", "cnn, MNIST", CNN, ["model.widths=[2]", "model.dense=2", "model.activation=tanh"]),
    both("underfitting", "linear, friedman", (), ["model=linear", *of("friedman")], ["model=fnn", *of("friedman")]),
    both("underfitting", "fnn, spirals", SPIRALS, ["model.widths=[4]"], ["data.samples=3000"]),
    both("not_linearly_separable", "linear, xor", ("data=toy", "data.kind=xor"), ["model=linear"], ["model=fnn"]),
    both(
        "not_linearly_separable",
        "perceptron, circles",
        ("data=toy", "data.kind=circles"),
        ["model=perceptron"],
        ["model=fnn"],
    ),
    both(
        "no_learning",
        "linear, shuffled digits",
        ("model=linear",),
        [*of("digits-shuffled"), "trainer.max_epochs=3"],
        of("digits"),
    ),
    both("no_learning", "linear, circles", ("data=toy", "data.kind=circles"), ["model=linear"], ["model=fnn"]),
    both(
        "no_learning",
        "linear, shuffled friedman",
        (),
        ["model=linear", *of("friedman-shuffled")],
        [*FNN, *of("clear1")],
    ),
    *(
        both("class_imbalance", f"{model}, uneven {i}", (f"model={model}",), of(f"uneven{i}"), of(f"apart{i}"))
        for i, model in enumerate(("fnn", "fnn", "linear", "scratch"))
    ),
    both("label_noise", "fnn, digits", FNN, of("digits-noisy"), of("digits")),
    both(
        "label_noise",
        "wide fnn with SGD, digits",
        (*FNN, "model.widths=[256]", "optimizer=sgd"),
        of("digits-noisy"),
        of("digits"),
    ),
    both("label_noise", "linear, digits", ("model=linear",), of("digits-noisy"), of("digits")),
    both("label_noise", "scratch, digits", ("model=scratch",), of("digits-noisy"), of("digits")),
    both("target_leak", "fnn, digits", FNN, of("digits-leaking"), of("digits")),
    both("target_leak", "fnn, friedman", FNN, of("friedman-leaking"), of("friedman")),
    both("target_leak", "linear, wine", ("model=linear",), of("wine-leaking"), of("wine")),
    both("split_leak", "fnn, digits", FNN, of("digits-doubled"), of("digits")),
    both("split_leak", "fnn, cancer", FNN, of("cancer-doubled"), of("cancer")),
    both("split_leak", "linear, wine", ("model=linear",), of("wine-doubled"), of("wine")),
    both("split_leak", "fnn, friedman", FNN, of("friedman-doubled"), of("friedman")),
    both("too_few_samples", "fnn, digits", FNN, of("digits-few"), of("digits")),
    both("too_few_samples", "fnn, wine", FNN, of("wine-few"), of("wine")),
    both("too_few_samples", "linear, iris", ("model=linear",), of("iris-few"), of("iris")),
    both(
        "too_few_samples",
        "cnn, MNIST",
        ("model=cnn", "data.limit_eval=500", "trainer.max_epochs=5"),
        ["data.limit=60"],
        ["data.limit=2000"],
    ),
    both("over_regularized", "fnn, MNIST", MNIST, ["model.dropout=0.95"], ["model.dropout=0.2"]),
    both("over_regularized", "fnn, digits", DIGITS, ["model.dropout=0.95"], ["model.dropout=0.2"]),
    both("over_regularized", "cnn, MNIST", CNN, ["model.dropout=0.9"], ["model.dropout=0.2"]),
    both("over_regularized", "fnn, cancer, L2", CANCER, ["model.l2=1"], ["model.l2=1e-5"]),
    *(
        both(
            "batch_norm_small_batch",
            name,
            (*base, "model.batchnorm=true", "trainer.max_epochs=2"),
            [f"data.batch_size={size}"],
        )
        for name, base, size in (
            ("fnn, digits", DIGITS, 2),
            ("fnn, wine", WINE, 4),
            ("cnn, MNIST", ("model=cnn", "data.limit=1000", "data.limit_eval=500"), 4),
            ("scratch, cancer", ("model=scratch", *of("cancer")), 4),
        )
    ),
    both("divergence", "fnn with SGD, MNIST", (*MNIST, "optimizer=sgd"), ["optimizer.lr=1e4"]),
    both("divergence", "fnn with SGD, digits", (*DIGITS, "optimizer=sgd"), ["optimizer.lr=1e4"]),
    both("divergence", "cnn with SGD, MNIST", (*CNN, "optimizer=sgd"), ["optimizer.lr=1e4"]),
    both(
        "divergence",
        "fnn with SGD, friedman",
        (*FNN, *of("friedman"), "optimizer=sgd"),
        ["optimizer.lr=100"],
        ["optimizer.lr=0.02", "trainer.max_epochs=20"],
    ),
    *(
        both("class_collapse", f"{model}, weak {i}", (f"model={model}",), of(f"weak{i}"), of(f"apart{i}"))
        for i, model in enumerate(("fnn", "fnn", "linear", "scratch"))
    ),
    *(
        both(
            "plateau",
            f"linear, flipped {i}",
            ("model=linear", "trainer.max_epochs=20", "scheduler=none", "optimizer.lr=0.001"),
            of(f"flipped{i}"),
            of(f"apart{i}"),
        )
        for i in range(4)
    ),
    both("uncertain_validation", "fnn, digits", DIGITS, ["data.limit_eval=30"]),
    both("uncertain_validation", "fnn, MNIST", MNIST, ["data.limit_eval=40"]),
    both("uncertain_validation", "cnn, MNIST", CNN, ["data.limit_eval=40"]),
    both("uncertain_validation", "linear, digits", ("model=linear", *of("digits")), ["data.limit_eval=30"]),
    both("worse_than_baseline", "fnn, stepped friedman", FNN, of("friedman-stepped"), of("friedman")),
    both(
        "worse_than_baseline", "scratch, stepped friedman", ("model=scratch",), of("friedman-stepped"), of("friedman")
    ),
    both(
        "worse_than_baseline",
        "wide fnn, stepped",
        (*FNN, "model.widths=[256,256]"),
        [*of("clear0-stepped"), "trainer.max_epochs=40"],
        of("clear0"),
    ),
    both(
        "data_bound",
        "linear, photos",
        photos(128),
        ["model=linear", "optimizer.lr=1e-4", "data.augment=light"],
        ["model=cnn"],
    ),
    both(
        "still_improving",
        "fnn with SGD, MNIST",
        (*MNIST, "optimizer=sgd", "scheduler=none"),
        ["optimizer.lr=0.001", "trainer.max_epochs=4"],
        ["optimizer.lr=0.05", "trainer.max_epochs=15"],
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
