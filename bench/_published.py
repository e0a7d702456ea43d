"""The faults of published collections, made again as configurations of this project.

Kinds as in AUTOTRAINER (Zhang et al., ICSE 2021), DeepCrime (Humbatova et al., ISSTA 2021) and DeepFD (Cao et al.,
ICSE 2022), on programs like theirs: MNIST, circles, blobs, a table. Those that no configuration of this project makes
(a wrong loss, a redundant softmax, missing normalization, gradients of the wrong sign) are left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bench._sick import CANCER, CNN, DIGITS, FEW_DIGITS, FNN, LSTM, MNIST, SCRATCH, deep, of


@dataclass(frozen=True)
class Fault:
    """A fault, made again.

    Attributes:
        kind: of the fault.
        right: the findings that name its cause.
        sound: overrides of the program without it.
        faulty: with it.
    """

    kind: str
    right: frozenset[str]
    sound: tuple[str, ...]
    faulty: tuple[str, ...]


CIRCLES, BLOBS = ((*FNN, "data=toy", f"data.kind={kind}", "data.noise=0.2") for kind in ("circles", "blobs"))
SIGMOID, NORMAL, RESIDUAL = "model.activation=sigmoid", "model.init=normal", "model.residual=true"
RATE = "learning_rate_too_high"


def _each(kind: str, right: str, *programs: tuple[Sequence[str], Sequence[str]]) -> tuple[Fault, ...]:
    return tuple(Fault(kind, frozenset(right.split()), tuple(base), (*base, *fault)) for base, fault in programs)


FAULTS = (
    *_each(
        "vanishing gradient (AUTOTRAINER)",
        "vanishing_gradients",
        (MNIST, [deep(17, 64), SIGMOID]),
        (CIRCLES, [deep(13, 32), SIGMOID]),
        (BLOBS, [deep(16, 32), SIGMOID]),
    ),
    *_each(
        "exploding gradient (AUTOTRAINER)",
        "exploding_gradients divergence",
        (MNIST, [deep(50, 64), RESIDUAL]),
        (CIRCLES, [deep(50, 32), RESIDUAL]),
        (DIGITS, [deep(50, 32), RESIDUAL]),
    ),
    *_each(
        "dying ReLU (AUTOTRAINER)",
        "dying_relu",
        (MNIST, ["optimizer.lr=0.07"]),
        (CIRCLES, ["optimizer.lr=0.4"]),
        (CNN, ["optimizer.lr=0.05"]),
    ),
    *_each(
        "oscillating loss (AUTOTRAINER)",
        RATE,
        (MNIST, ["optimizer.lr=0.6"]),
        (CIRCLES, ["optimizer.lr=2"]),
        (LSTM, ["optimizer.lr=0.6"]),
    ),
    *_each(
        "slow convergence (AUTOTRAINER)",
        "learning_rate_too_low still_improving",
        (MNIST, ["optimizer.lr=2e-6"]),
        (BLOBS, ["optimizer=sgd", "optimizer.lr=1e-5"]),
        (CNN, ["optimizer.lr=1e-6"]),
    ),
    *_each("changed learning rate (DeepCrime)", RATE, (SCRATCH, ["optimizer.lr=2"]), (CANCER, ["optimizer.lr=5"])),
    *_each(
        "changed initialization (DeepCrime)",
        "poor_initialization",
        ((*MNIST, deep(7, 64)), [NORMAL]),
        ((*DIGITS, deep(7, 64)), [NORMAL]),
        ((*CNN, "model.convolutions=2"), [NORMAL]),
    ),
    *_each(
        "changed activation (DeepCrime)",
        "vanishing_gradients saturated_activations underfitting",
        ((*MNIST, deep(8, 64)), [SIGMOID]),
        ((*CNN, "model.convolutions=4"), [SIGMOID]),
        (DIGITS, [SIGMOID]),
    ),
    *_each(
        "changed labels (DeepCrime)",
        "label_noise",
        ((*FNN, *of("digits")), of("digits-noisy")),
        ((*FNN, *of("six1")), of("six1-noisy")),
        ((*FNN, *of("three2")), of("three2-noisy")),
    ),
    *_each(
        "unbalanced data (DeepCrime)",
        "class_imbalance class_collapse",
        ((*FNN, *of("three0")), of("rare0")),
        ((*FNN, *of("apart1")), of("uneven1")),
    ),
    *_each(
        "less training data (DeepCrime)",
        "overfitting too_few_samples",
        (MNIST, ["data.limit=120"]),
        (CNN, ["data.limit=80"]),
        ((*FNN, *of("digits")), of("digits-few")),
    ),
    *_each(
        "changed dropout (DeepCrime)",
        "over_regularized",
        (MNIST, ["model.dropout=0.97"]),
        (LSTM, ["model.dropout=0.95"]),
        (DIGITS, ["model.dropout=0.95"]),
    ),
    *_each("added L2 (DeepCrime)", "over_regularized", (MNIST, ["model.l2=1"]), (CNN, ["model.l2=1"])),
    *_each(
        "fewer epochs (DeepCrime)",
        "still_improving underfitting learning_rate_too_low",
        ((*MNIST, "optimizer=sgd", "scheduler=none"), ["optimizer.lr=0.001", "trainer.max_epochs=3"]),
        ((*DIGITS, "scheduler=none"), ["optimizer.lr=1e-4", "trainer.max_epochs=3"]),
    ),
    *_each(
        "batch size with batch norm (DeepCrime)",
        "batch_norm_small_batch",
        ((*DIGITS, "model.batchnorm=true", "trainer.max_epochs=2"), ["data.batch_size=2"]),
        (
            ("model=cnn", "model.batchnorm=true", "data.limit=800", "data.limit_eval=800", "trainer.max_epochs=2"),
            ["data.batch_size=2"],
        ),
    ),
    *_each(
        "too few units (DeepFD)",
        "underfitting",
        (MNIST, ["model.widths=[2]"]),
        (("model=scratch", *of("digits")), ["model.widths=[2]"]),
        ((*FNN, *FEW_DIGITS), ["model.widths=[1,64]"]),
    ),
    *_each(
        "wrong optimizer settings (DeepFD)",
        f"{RATE} divergence",
        ((*MNIST, "optimizer=sgd"), ["optimizer.lr=50"]),
        ((*DIGITS, "optimizer=sgd"), ["optimizer.lr=50"]),
    ),
)
