"""The health of each layer over the epochs, as the doctor measured it."""

import math
from collections.abc import Sequence

import numpy as np

from litmus.config.types import Section as Plain
from litmus.page.charts import heat_map
from litmus.page.names import beginning
from litmus.page.selection import evenly
from litmus.report.material import Material
from litmus.report.parts import Block, Chart, Section, Words

# Of each figure: what it is, and whether its logarithm is drawn.
FIGURES = {
    "gradient": ("root mean square of the gradient", True),
    "update": ("size of a step, as a fraction of the weights it changes", True),
    "rms": ("root mean square of the outputs of an activation", True),
    "mean": ("mean of the outputs of an activation", False),
    "dead": ("fraction of units that are never active", False),
    "saturated": ("fraction of outputs at the flat ends of the activation", False),
}
SAID = "Layers in the order of use; the stronger a cell's color, the larger its number; orange is below 0."
# Of a bias's gradient to the weight's. bf16 rounds to 0.004; biases that do something reached 0.3 and more.
CANCELLED = 0.01
MOST_EPOCHS, MOST_LAYERS = 16, 40  # of a map; of more, evenly chosen ones
LONGEST = 30  # letters of a layer's name
WIDE = 600.0  # beyond so many pixels a map takes the whole width


def layers(material: Material) -> list[Section]:
    """A map of layers and epochs for each figure that was measured."""
    health = material.health
    if not health or not health["layers"] or not health["epochs"]:
        return []
    names = [str(each.get("name")) for each in health["layers"]]
    epochs = [health["epochs"][row] for row in evenly(len(health["epochs"]), MOST_EPOCHS)]
    shared = _shared(names)
    blocks: list[Block] = [Words([SAID, *([f"All names begin with {shared}, which is left out."] if shared else [])])]
    for key, (label, is_log) in FIGURES.items():
        values = np.array([_row(epoch.get(key), len(names)) for epoch in epochs]).T
        if np.isfinite(values).any() and (is_log or np.nanmax(np.abs(values)) > 0):
            known = np.flatnonzero(np.isfinite(values).any(axis=1))  # of an activation there is no gradient
            rows = known[evenly(len(known), MOST_LAYERS)]
            own = [names[row].removeprefix(shared) for row in rows]
            counts = (len(rows), len(known)), (len(epochs), len(health["epochs"]))
            blocks.append(_map(key, label, values[rows], own, epochs, is_log, _omitted(*counts)))
    blocks += _cancelled(epochs[-1].get("bias"), names)
    return [Section("layers", "Health of each layer", blocks)] if len(blocks) > 1 else []


def _shared(names: Sequence[str]) -> str:
    """The modules that all layers are in, as their names begin: `network.model.`"""
    common = beginning(names)
    return common[: common.rfind(".") + 1] if len(names) > 1 else ""


def _omitted(layers: tuple[int, int], epochs: tuple[int, int]) -> str:
    """Which layers and epochs are shown, where these are not all."""
    said = [
        f"{shown} of {total} {noun}"
        for (shown, total), noun in ((layers, "layers"), (epochs, "epochs"))
        if shown < total
    ]
    return f" {' and '.join(said)}, evenly chosen from the first to the last." if said else ""


def _cancelled(ratios: object, names: Sequence[str]) -> list[Words]:
    """Which biases change nothing."""
    own = [name for name, ratio in zip(names, _row(ratios, len(names)), strict=True) if ratio < CANCELLED]
    if not own:
        return []
    said = "The gradient of these layers' biases is 0 but for rounding: what follows cancels them, as batch norm does."
    return [Words([f"{said} They could do without: {', '.join(own)}."])]


def _map(
    key: str,
    label: str,
    values: "np.ndarray[tuple[int, ...], np.dtype[np.float64]]",
    names: Sequence[str],
    epochs: Sequence[Plain],
    is_log: bool,
    omitted: str,
) -> Chart:
    if is_log:
        logs = np.log10(np.where(values > 0, values, np.nan))
        low, high = (np.nanmin(logs), np.nanmax(logs)) if np.isfinite(logs).any() else (0.0, 1.0)
        shares = (logs - low) / max(high - low, 1.0)
    else:
        shares = values / max(1.0, float(np.nanmax(np.abs(values))))  # those of fractions as they are
    numbers = [str(epoch.get("epoch")) for epoch in epochs]
    texts = [["" if math.isnan(v) else _short(v) for v in row] for row in values]
    titles = [
        [f"{name}, epoch {number}: {text}" for number, text in zip(numbers, row, strict=True)]
        for name, row in zip(names, texts, strict=True)
    ]
    drawing = heat_map(
        label, np.clip(shares, -1, 1), names, numbers, texts, titles, ("", "epoch"), cell=(38, 18), longest=LONGEST
    )
    return Chart(f"layers-{key}", f"{label[0].upper()}{label[1:]}.{omitted}", drawing, wide=drawing.width > WIDE)


def _short(value: float) -> str:
    """A number in the room of a cell: 0.12, 34, 3e-4."""
    if value == 0 or 0.01 <= abs(value) < 100:
        return f"{value:.2g}"
    return f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e")


def _row(values: object, number: int) -> list[float]:
    given = values if isinstance(values, list) else []
    found = [float(v) if isinstance(v, int | float) and not isinstance(v, bool) else math.nan for v in given[:number]]
    return [*found, *[math.nan] * (number - len(found))]
