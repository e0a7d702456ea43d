"""Explanations of a run's own test samples: some that its network gets right, and its surest mistakes."""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from litmus.config.explanation import Explanation, Importances
from litmus.config.samples import Samples
from litmus.errors import UserError
from litmus.inference.explain.columns import MOST_BACKGROUND, ColumnExplainer
from litmus.inference.explain.images import ImageExplainer
from litmus.inference.explain.importance import permutation_importance
from litmus.inference.explain.series import WindowExplainer
from litmus.inference.explain.texts import TextExplainer
from litmus.page.selection import evenly
from litmus.spec import Classes, Columns, Images, Tokens

SHOWN = 4  # that are right, and as many mistakes; so many of all, where there are no classes


def explained(samples: Samples) -> list[Explanation]:
    """An explanation for each of some samples.

    Raises:
        UserError: a detector finds no box in any of them.
    """
    explanations: list[Explanation] = []
    nothing: UserError | None = None
    for place in _chosen(samples):
        try:
            found = _explanation(samples, place)
        except UserError as error:
            nothing = error
            continue
        truth = _truth(samples, int(samples.numbers[place]))
        explanations += [replace(each, truth=truth) for each in found]
    if nothing is not None and not explanations:
        raise nothing
    return explanations


def importances(samples: Samples) -> Importances | None:
    """How much the network relies on each column of a table; None for others."""
    if not isinstance(samples.net.spec.input, Columns):
        return None
    targets = samples.data.targets("test")
    assert targets is not None
    return permutation_importance(samples.net, torch.cat(samples.inputs), targets[samples.numbers])


def background(samples: Samples) -> Tensor:
    """Rows of the test split whose values stand for those of a column that is left out."""
    rows = torch.cat(samples.inputs)
    return rows[torch.from_numpy(evenly(len(rows), MOST_BACKGROUND))]


def _chosen(samples: Samples) -> list[int]:
    """The places of samples to explain: right ones at even distances, then the surest mistakes."""
    net, total = samples.net, len(samples.numbers)
    if not isinstance(net.spec.target, Classes):
        return [int(place) for place in evenly(total, SHOWN)]
    with torch.inference_mode():
        outputs = torch.cat([net(batch).float() for batch in samples.inputs])
    targets = samples.data.targets("test")
    assert targets is not None
    is_right = outputs.argmax(dim=1) == targets[samples.numbers]
    sureness = outputs.softmax(dim=1).amax(dim=1)
    right, wrong = is_right.nonzero()[:, 0], (~is_right).nonzero()[:, 0]
    surest = wrong[sureness[wrong].argsort(descending=True, stable=True)][:SHOWN]
    return [*right[torch.from_numpy(evenly(len(right), SHOWN))].tolist(), *surest.tolist()]


def _explanation(samples: Samples, place: int) -> list[Explanation]:
    net, inputs, number = samples.net, samples.input(place), int(samples.numbers[place])
    sample = samples.data.sample("test", number)
    name = sample.name or f"sample {number:,}"
    if isinstance(net.spec.input, Images):
        assert sample.image is not None
        return ImageExplainer(net).explain_inputs(inputs, np.asarray(sample.image), name, None)
    if isinstance(net.spec.input, Tokens):
        return [TextExplainer(net).explain("".join(piece.text for piece in sample.text), None)]
    if isinstance(net.spec.input, Columns):
        explainer = ColumnExplainer(net, background(samples))
        cells = dict(sample.cells)
        return [explainer.explain_inputs(inputs, [str(cells.get(own, "")) for own in explainer.names], name, None)]
    return [WindowExplainer(net).explain(inputs, sample.date or name, None)]


def _truth(samples: Samples, number: int) -> str:
    """The class of a sample; empty for other targets."""
    target, targets = samples.net.spec.target, samples.data.targets("test")
    return target.names[int(targets[number])] if isinstance(target, Classes) and targets is not None else ""
