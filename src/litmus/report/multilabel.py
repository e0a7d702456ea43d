"""A page's part on labels: each label, precision and recall, and the samples with the worst mistakes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from litmus.page.charts import images
from litmus.page.classes import Quality, chosen, of_each_class, quality
from litmus.page.names import shorten
from litmus.report.classification import MOST_MISTAKES, curves, kept
from litmus.report.material import Tested
from litmus.report.numbers import Floats, precision_recall, sigmoid
from litmus.report.parts import Block, Cards, Chart, Section, Words, card

Marks = NDArray[np.bool_]  # (samples, labels)


def sections(tested: Tested) -> list[Section]:
    """What the test says of each label."""
    names, logits = tested.net.spec.target.names, tested.outputs.outputs
    if not len(logits):
        return []
    true = tested.outputs.targets.astype(bool)
    predicted = logits > 0
    found = quality(*(own.sum(axis=0) for own in (predicted & true, predicted, true)))
    return [
        Section("classes", "Each label", [_each(names, found, true), *_curves(logits, true, names, found.f1)]),
        Section("mistakes", "The worst mistakes", _mistakes(tested, logits, true)),
    ]


def _each(names: Sequence[str], found: Quality, true: Marks) -> Block:
    shown, said = chosen(found.f1), "Precision and recall of each label in the test."
    present = int(np.isfinite(found.f1).sum())
    if len(shown) < present:
        said = f"The ten best and the ten worst of {present:,} labels by F1."
    groups = {"precision": found.precision, "recall": found.recall}
    drawing = of_each_class("precision and recall of each label", names, shown, groups, true.sum(axis=0).tolist())
    return Chart("per-class", f"{said} In parentheses: how many samples have it.", drawing)


def _curves(logits: Floats, true: Marks, names: Sequence[str], f1: Floats) -> list[Block]:
    known = np.where(true.any(axis=0), f1, np.nan)
    said = "Precision at every recall, each label on its own; AP is the area."
    return curves(names, "labels", known, lambda i: precision_recall(logits[:, i], true[:, i]), said)


def _mistakes(tested: Tested, logits: Floats, true: Marks) -> list[Block]:
    """The samples of which the network is surest of something wrong."""
    names, sure = tested.net.spec.target.names, tested.net.predicts_probabilities
    wrong = (logits > 0) != true
    worst_margin = np.where(wrong, np.abs(logits), -1.0).max(axis=1)
    rows = np.flatnonzero(wrong.any(axis=1))
    if not len(rows):
        return [Words(["There is none in the test."])]
    worst = rows[np.argsort(-worst_margin[rows], kind="stable")][:MOST_MISTAKES]
    cards, shown, captions = [], [], []
    for row in worst:
        sample = tested.data.sample("test", int(tested.outputs.numbers[row]))
        chances = sigmoid(logits[row])
        added = [
            f"not {names[i]}" + (f" ({chances[i]:.0%} sure of it)" if sure else "")
            for i in np.flatnonzero(wrong[row] & ~true[row])
        ]
        missed = [
            f"{names[i]} is missed" + (f" ({chances[i]:.0%})" if sure else "")
            for i in np.flatnonzero(wrong[row] & true[row])
        ]
        own = ", ".join(names[i] for i in np.flatnonzero(true[row])) or "no label"
        cards.append(card(sample, [own, *added[:3], *missed[:3]], wrong=True))
        if sample.image is not None:
            shown.append(sample.image)
            captions.append(shorten(", ".join([*added, *missed]), 20))
    picture = images("the worst mistakes", shown, captions) if shown else None
    said = f"Of {len(rows):,} test samples with a wrong label, the network's surest mistakes; first the true labels."
    return [Cards("mistakes", said + kept(tested), cards, picture)]
