"""Evidence of runs that never were: a healthy one, and what makes it sick."""

from dataclasses import replace

from litmus.doctor.evidence import Evidence, Health, Layer

LAYERS = (
    Layer("features.1.0", "Linear"),
    Layer("features.1.1", "ReLU"),
    Layer("features.2.0", "Linear"),
    Layer("head", "Linear"),
)
CHANCE = 2.302585  # ln(10)


def config(**values: object) -> dict[str, dict[str, object]]:
    """A run's, as far as the rules read it; keys by their names with `__` for the point."""
    made: dict[str, dict[str, object]] = {
        "model": {
            "_target_": "litmus.model.fnn.FNN",
            "widths": [64, 64],
            "activation": "relu",
            "init": "he",
            "residual": False,
            "dropout": 0.0,
            "batchnorm": False,
            "l2": 0.0,
        },
        "data": {"_target_": "litmus.data.mnist.MNIST", "batch_size": 64, "augment": "none"},
        "task": {"_target_": "litmus.task.classification.Classification", "balanced": False, "label_smoothing": 0.0},
        "optimizer": {"_target_": "litmus.optimizer.adam", "lr": 0.003},
        "scheduler": {"_target_": "litmus.scheduler.one_cycle"},
        "trainer": {
            "_target_": "litmus.trainer.build",
            "max_epochs": 10,
            "val_check_interval": None,
            "devices": 1,
        },
    }
    for name, value in values.items():
        group, _, key = name.partition("__")
        made[group][key] = value
    return made


def rows(
    train: list[float], val: list[float], acc: list[float], rate: list[float] | None = None
) -> list[dict[str, float]]:
    """Rows of `metrics.csv`: losses, validation accuracy, learning rate; the training accuracy is a little better."""
    rates = rate or [0.003 * (1 - i / len(train)) for i in range(len(train))]  # a schedule to its end
    return [
        {
            "epoch": i,
            "step": 100 * i,
            "train/loss": a,
            "val/loss": b,
            "val/acc": c,
            "train/acc": min(1.0, c + 0.01),
            "optim/lr": d,
            "optim/grad_norm": 1.0,
            "optim/l2_penalty": 0.0,
        }
        for i, (a, b, c, d) in enumerate(zip(train, val, acc, rates, strict=True), start=1)
    ]


def health(epoch: int, **values: object) -> Health:
    """Of the layers above, in health."""
    usual: dict[str, object] = {
        "gradient": (0.01, None, 0.01, 0.02),
        "update": (2e-3, None, 2e-3, 2e-3),
        "rms": (None, 1.0, None, None),
        "dead": (None, 0.02, None, None),
        "saturated": (None, None, None, None),
        "collapsed": (1, 0.12),
        "label_issues": 0.01,
        "waiting": 0.1,
    }
    return Health(epoch, **{**usual, **values})  # type: ignore[arg-type]  # by name


def healthy() -> Evidence:
    """Ten epochs of a network that learns ten classes."""
    curve = [0.5, 0.3, 0.2, 0.15, 0.12, 0.1, 0.09, 0.08, 0.075, 0.07]
    return Evidence(
        status="finished",
        diverged=False,
        config=config(),
        rows=rows(curve, [each + 0.02 for each in curve], [1 - each / 3 for each in curve]),
        monitor="val/acc",
        mode="max",
        best_epoch=10,
        metrics={"test/acc": 0.97, **{f"test/recall_{number}": 0.97 for number in range(10)}},
        baselines={"logistic": {"acc": 0.91}, "majority": {"acc": 0.11}},
        sizes={"train": 5000, "val": 1000, "test": 1000},
        names=[str(number) for number in range(10)],
        class_counts=[500] * 10,
        repeated={"val": 0, "test": 0},
        first_loss=2.5,
        chance_loss=CHANCE,
        layers=LAYERS,
        health=[health(0, collapsed=None, label_issues=None), *(health(epoch) for epoch in range(1, 11))],
    )


def sick(**changes: object) -> Evidence:
    """The healthy one with other attributes."""
    return replace(healthy(), **changes)  # type: ignore[arg-type]  # by name


def all_epochs(**values: object) -> list[Health]:
    """Health with these values in every epoch."""
    return [health(0), *(health(epoch, **values) for epoch in range(1, 11))]
