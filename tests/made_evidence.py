"""Evidence that is made of one value, for the thresholds of the doctor's rules: what else counts stays as it is."""

import math
from dataclasses import replace

from examined import CHANCE, all_epochs, config, health, healthy, rows, sick

from litmus.doctor.evidence import Evidence, Layer


def curves(
    train: list[float], val: list[float] | None = None, acc: float = 0.92, rate: list[float] | None = None, **own: float
) -> list[dict[str, float]]:
    """Rows of these losses, with `train_acc` for `train/acc`."""
    made = rows(train, val or train, [acc] * len(train), rate)
    return [{**row, **{name.replace("_", "/", 1): value for name, value in own.items()}} for row in made]


def learned(progress: float, **changes: object) -> Evidence:
    """A loss that stands that far below chance, in validation, too."""
    return sick(**{"rows": curves([CHANCE * (1 - progress)] * 10), **changes})


def values(row: dict[str, float], **changes: object) -> Evidence:
    """Ten epochs of a network that predicts values, and has these metrics in each."""
    own = {
        "config": config(task___target_="litmus.task.regression.Regression"),
        "rows": [{**each, **row} for each in curves([0.1] * 10)],
        "monitor": "val/rmse",
        "mode": "min",
        "chance_loss": 1.0,
        "names": [],
        "class_counts": [],
        "baselines": {},
    }
    return sick(**{**own, **changes})


def sizes(**changes: int) -> dict[str, int]:
    return {"train": 5000, "val": 1000, "test": 1000, **changes}


def one_large(share: float) -> list[int]:
    """Samples of ten classes, of which the first has that share."""
    return [round(9000 * share), *[round(1000 * (1 - share))] * 9]


def updating(size: float, progress: float = 0.1) -> Evidence:
    """The largest update-to-weight ratio of a layer; the last one, which may begin with zeros, does not count."""
    return learned(progress, health=all_epochs(update=(size, None, size / 2, 1.0)))


def batches(number: float, devices: int = 1) -> Evidence:
    """Batch norm, and batches of so many samples."""
    return sick(config=config(model__batchnorm=True, data__batch_size=number, trainer__devices=devices))


def one_class(ratio: float = 1.0, share: float = 1.0) -> dict[str, object]:
    """Predictions that are mostly one class, which has that many training samples relative to an even split."""
    return {"health": all_epochs(collapsed=(0, share)), "class_counts": one_large(ratio / 10)}


def one_layer(line: float, trees: float, number: int = 1000, layers: int = 1) -> Evidence:
    """A network that is as good as the best line, and boosted trees."""
    return sick(
        rows=curves([1.5] * 10, acc=line, train_acc=line),
        layers=[Layer(f"layer {i}", "Linear") for i in range(layers)],
        health=[],
        sizes=sizes(val=number),
        baselines={"logistic": {"acc": line}, "trees": {"acc": trees}},
    )


def dropped(dropout: float, progress: float = 0.2) -> Evidence:
    return learned(progress, config=config(model__dropout=dropout))


def dead(*shares: float, progress: float = 0.2) -> Evidence:
    """Dead units of each ReLU."""
    return learned(progress, health=all_epochs(dead=shares))


def dead_at_last(before: float) -> Evidence:
    """Dead units of a ReLU in all epochs but the last, in which there are more."""
    return sick(health=[*all_epochs(dead=(before,))[:-1], health(10, dead=(0.9,))])


def started(saturated: float = 0.9, **values: object) -> Evidence:
    """What was measured before the first step, and how saturated a layer is in the first epoch."""
    return sick(health=[health(0, **values), health(1, saturated=(None, saturated, None, None))])


def errors_by(ratio: float) -> Evidence:
    """A squared error, of values, relative to that of their mean."""
    error = 4.0 * math.sqrt(ratio)
    return values({"train/loss": 0.99, "train/rmse": error, "val/rmse": error}, baselines={"mean": {"rmse": 4.0}})


def unbeaten(more: float) -> Evidence:
    """An accuracy of 0.5 on 1,000 test samples; the baseline's is better by that many standard errors."""
    return sick(unbeaten=(0.5, 0.5 + more * math.sqrt(0.25 / 1000), "The baseline is better."))


def unbeaten_values(more: float, test: int = 1000) -> Evidence:
    """As `unbeaten`, of errors, whose standard errors are those on 1,000 samples."""
    own = (1 + more / math.sqrt(2 * 1000), 1.0, "The baseline is better.")
    return values({}, unbeaten=own, sizes=sizes(test=test))


def rare(recall: float = 0.1, number: int = 20, acc: float = 0.97, test: int = 10_000) -> Evidence:
    """A class of so many training samples among others of 500, found that often."""
    metrics = {**healthy().metrics, "test/acc": acc, "test/recall_7": recall}
    return sick(class_counts=[500] * 7 + [number] + [500] * 2, metrics=metrics, sizes=sizes(test=test))


def noisy(more: float = 0.0, number: int = 1000, names: str = "0123456789", **known: object) -> Evidence:
    """Labels that look wrong, and by how much the training accuracy is above that of validation."""
    return sick(
        rows=curves([0.5] * 10, acc=0.8, train_acc=0.8 + more),
        health=all_epochs(**{"label_issues": 0.3, "issue_spread": 0.95, **known}),
        names=list(names),
        class_counts=[500] * len(names),
        sizes=sizes(val=number),
    )


def turned(turn: int, last: int, ratio: float = 2.0) -> Evidence:
    """A validation loss that is lowest in an epoch, and that many times as high from then on."""
    losses = [1.0] * (turn - 1) + [0.4] + [0.4 * ratio] * (last - turn)
    return sick(rows=curves([0.1] * last, losses), best_epoch=turn)


def improved(gain: float) -> Evidence:
    """Values whose validation loss rises from epoch 2 on, while the metric, relatively, gains that to the last."""
    own = [{**row, "val/rmse": 1.0 - gain * (row["epoch"] == 10)} for row in turned(2, 10).rows]
    return values({}, rows=own, best_epoch=10)


def until(step: float, update: float = 2e-3) -> Evidence:
    """A validation at the level of chance after so many steps."""
    own = curves([CHANCE * 0.9] * 10, [CHANCE] * 10, 0.1, step=step)
    return replace(updating(update), rows=own)


def standing(epochs: int, change: float = 0.0, acc: float = 0.92) -> Evidence:
    """A training loss that stands, and falls by that fraction in the last epoch."""
    return sick(rows=curves([1.5] * (epochs - 1) + [1.5 * (1 - change)], acc=acc))


def standing_since(epoch: float) -> Evidence:
    """A training loss that stands from an epoch on, of ten."""
    before = int(epoch) - 1
    return sick(rows=curves([2.0] * before + [1.5] * (10 - before)))


def falling(by: float, epochs: int = 10, rate: float = 1.0) -> Evidence:
    """A validation loss that falls by that fraction an epoch, and the last learning rate relative to the first."""
    losses = [2.0 * (1 - by) ** epoch for epoch in range(epochs)]
    own = curves(losses, rate=[0.003] * (epochs - 1) + [0.003 * rate])
    return sick(rows=own, best_epoch=epochs)


def overfitted(
    train: float = 1.0, val: float = 0.7, number: int = 10_000, progress: float = 0.9, **model: object
) -> Evidence:
    """Accuracies on so many validation samples, whose loss is below that of chance; keys as `model__dropout`."""
    own = curves([CHANCE * (1 - progress)] * 10, [1.7] * 10, val, train_acc=train)
    return sick(rows=own, sizes=sizes(val=number), config=config(**model))


def gap(train: float, val: float, number: int = 1000) -> Evidence:
    """Losses of values."""
    return values({"train/loss": train, "val/loss": val, "val/rmse": 0.4}, sizes=sizes(val=number))


def few(number: int, acc: float, baseline: float, **metrics: float) -> Evidence:
    """An accuracy on so many validation samples, and that of a baseline."""
    own = curves([0.3] * 10, acc=acc, **metrics)
    return sick(rows=own, sizes=sizes(val=number), baselines={"logistic": {"acc": baseline}})


def split(share: float) -> Evidence:
    """Forty validation samples, of so large a share."""
    return replace(few(40, acc=0.9, baseline=0.9), config=config(data__val_share=share))


def unlearned_at(rate: float) -> Evidence:
    """Nothing learned at that learning rate."""
    return at_chance(config=config(optimizer__lr=rate))


def at_chance(loss: float = 1.0, progress: float = 0.0, acc: float = 0.1, **changes: object) -> Evidence:
    """A validation loss relative to chance, and how far the training loss is below that."""
    own = curves([CHANCE * (1 - progress)] * 10, [CHANCE * loss] * 10, acc)
    return sick(**{"rows": own, **changes})


def guessed(errors: float) -> Evidence:
    """An accuracy, of a loss without one of chance, that many standard errors above the share of the largest class."""
    return at_chance(acc=0.1 + errors * math.sqrt(0.1 * 0.9 / 1000), chance_loss=None)


def detector(precision: float) -> Evidence:
    """A mean average precision."""
    boxes = config(task___target_="litmus.task.detection.Detection")
    own = curves([0.9] * 10, val_map=precision)
    return values({}, config=boxes, rows=own, monitor="val/map", mode="max", chance_loss=None)


def worse(acc: float, baseline: float, number: int = 10_000) -> Evidence:
    """An accuracy on so many validation samples, which is that in training, too."""
    return few(number, acc, baseline, train_acc=acc)


def jumping(number: int, height: float = 1.5, update: float = 0.03, epochs: int = 41) -> Evidence:
    """A validation loss that jumps so many times, by that factor, of a network that has learned its samples."""
    saw = [0.1 * height if epoch % 2 and epoch < 2 * number else 0.1 for epoch in range(epochs)]
    own = curves([0.1] * epochs, saw)
    return replace(updating(update), rows=own)


def growing(epochs: int) -> Evidence:
    """A validation loss that jumps in every epoch, of a network that has learned its samples."""
    return replace(updating(0.03), rows=curves([0.1] * epochs, [0.1 * 1.5**epoch for epoch in range(epochs)]))


def wide_steps(layers: int) -> Evidence:
    """Large steps of so many layers, and little learned."""
    return learned(0.1, health=all_epochs(update=(0.06,) * layers))


def shrinking(first: float, progress: float = 0.1) -> Evidence:
    """The first layer's gradient relative to the last hidden one's; that of the head does not count."""
    return learned(progress, health=all_epochs(gradient=(first, None, 1.0, 1e3)))


def penalized(penalty: float, l2: float = 0.1, loss: float = 0.95) -> Evidence:
    """A penalty relative to the training loss, which is relative to chance."""
    own = curves([CHANCE * loss] * 10, optim_l2_penalty=penalty * CHANCE * loss)
    return sick(rows=own, config=config(model__l2=l2))


def high_rate(peak: float, update: float = 2e-3, progress: float = 0.1, *, part: str = "train") -> Evidence:
    """The highest loss, of training, a step or validation, relative to that of the first step."""
    loss, first = CHANCE * (1 - progress), healthy().first_loss or 0.0
    train = [peak * first if part == "train" else loss, *[loss] * 9]
    val = [peak * first if part == "val" else loss] * 10
    step = peak * first if part == "step" else None
    return sick(rows=curves(train, val), health=all_epochs(update=(update, None, update, 1.0), peak_loss=step))
