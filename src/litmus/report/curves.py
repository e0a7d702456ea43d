"""Training over the epochs: train and validation in one chart for each metric, and the learning rate."""

import math
from collections.abc import Sequence

from litmus.config.types import Section as Plain
from litmus.page.axes import Axis, axis
from litmus.page.charts import Line, lines
from litmus.page.drawing import COLORS
from litmus.record.baselines import BASELINES, ranked_baselines
from litmus.record.metrics import GAIN, monitored_in, per_value
from litmus.report.material import Material
from litmus.report.parts import Block, Chart, Section, Words

LR = "optim/lr"
MOST_METRICS = 8
HEIGHT = 260.0


def curves(material: Material) -> Section:
    """A chart for each metric of the validation, loss and the monitored one first; the learning rate last."""
    rows = material.rows
    if not rows:
        return Section("training", "Training", [Words(["No epoch was finished: there are no curves."])])
    names = _metrics(material)
    baselines = {metric: name for name, metric in ranked_baselines(_first(rows), "val")[:1]}
    charts: list[Block] = [_chart(material, name, baselines) for name in names[:MOST_METRICS]]
    if any(_value(row, LR) is not None for row in rows):
        charts.append(_rate(rows))
    said = (
        "Values of the training are means over the epoch while weights change and with dropout at work; those of the "
        "validation are measured at the epoch's end. The dashed upright line is the epoch whose weights are kept."
    )
    return Section("training", "Training", [Words([said]), *charts])


def _metrics(material: Material) -> list[str]:
    """The names of what validation or training measured, without the split: the loss, what decides, then the rest."""
    columns = dict.fromkeys(name for row in material.rows for name in row)
    pieces = {own for split in ("train", "val") for names in _own_values(columns, split) for own in names}
    found = []
    for column in columns:
        split, _, name = column.partition("/")
        is_baseline = name.partition("_")[0] in BASELINES
        if split in ("val", "train") and column not in (*pieces, GAIN) and not is_baseline and name not in found:
            found.append(name)
    decides = monitored_in(str(material.config["task"]["_target_"]), columns)[0].partition("/")[2]
    return sorted(found, key=lambda name: (name != "loss", name != decides, name.endswith("_loss"), found.index(name)))


def _own_values(columns: dict[str, None], split: str) -> list[list[str]]:
    return [list(names.values()) for names in per_value(dict(columns), split).values()]


def _chart(material: Material, name: str, baselines: dict[str, str]) -> Chart:
    rows, drawn = material.rows, []
    for split, label, color in (("train", "training", COLORS[0]), ("val", "validation", COLORS[1])):
        values = [_value(row, f"{split}/{name}") for row in rows]
        if any(value is not None for value in values):
            drawn.append(Line(label, _epochs(rows), [math.nan if v is None else v for v in values], color))
    metric = f"val/{name}"
    if metric in baselines:
        level = _value(_first(rows), f"val/{baselines[metric]}_{name}")
        if level is not None:
            label = f"validation, {BASELINES[baselines[metric]][0]}"
            drawn.append(Line(label, [_epochs(rows)[0], _epochs(rows)[-1]], [level] * 2, COLORS[2], dashed=True))
    best = material.result.get("best_epoch")
    mark = (float(best), f"best: epoch {best}") if isinstance(best, int) and len(rows) > 1 else None
    y = axis([v for line in drawn for v in line.y], log=name.endswith("loss"))
    drawing = lines(f"{name} by epoch", _epoch_axis(rows), y, drawn, mark, HEIGHT)
    return Chart(f"curve-{name}", f"{name} by epoch", drawing)


def _rate(rows: Sequence[Plain]) -> Chart:
    values = [math.nan if (value := _value(row, LR)) is None else value for row in rows]
    drawing = lines(
        "learning rate by epoch",
        _epoch_axis(rows),
        axis(values, log=True),
        [Line("", _epochs(rows), values)],
        height=180,
    )
    return Chart("learning-rate", "learning rate at the end of each epoch", drawing)


def _epoch_axis(rows: Sequence[Plain]) -> Axis:
    return axis(_epochs(rows), "epoch", whole=True)


def _epochs(rows: Sequence[Plain]) -> list[float]:
    return [float(row.get("epoch") or number) for number, row in enumerate(rows)]


def _value(row: Plain, name: str) -> float | None:
    value = row.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _first(rows: Sequence[Plain]) -> dict[str, float]:
    """The last row's figures, which have baselines as every row."""
    return {name: value for name, value in rows[-1].items() if isinstance(value, int | float)}
