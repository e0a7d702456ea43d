"""The worst mistakes among texts, as Markdown: a table with what is true, what was predicted, and how sure of it."""

from collections.abc import Callable

import torch
from torch import Tensor

from litmus.callback._markdown import escaped, table
from litmus.callback._words import said
from litmus.config.protocols import Net
from litmus.config.sample import CUT, UNKNOWN, Sample
from litmus.console import counted
from litmus.spec import Classes, Labels

MOST = 10
LONGEST = 300  # characters of a text


def worst_mistakes(net: Net, outputs: Tensor, truth: Tensor, sample: Callable[[int], Sample]) -> str:
    """The surest mistakes; of values, the largest errors.

    Args:
        net: whose they are.
        outputs: float (samples, outputs), as the task's observers get them.
        truth: the same.
        sample: gives the sample of a row.
    """
    sizes, confidence = _wrong(net, outputs, truth)
    number = int((sizes > 0).sum())
    if not number:
        return f"None of {counted(len(truth), 'validation sample')} is wrong."
    rows = sizes.argsort(descending=True, stable=True)[: min(number, MOST)]
    head = ["true", "predicted"]
    columns = [said(net, truth[rows], is_output=False), said(net, outputs[rows], is_output=True)]
    cells = [[escaped(", ".join(own)) for own in each] for each in zip(*columns, strict=True)]
    if confidence is not None and net.predicts_probabilities:
        head.append("confidence")
        cells = [[*own, f"{sure:.0%}"] for own, sure in zip(cells, confidence[rows].tolist(), strict=True)]
    texts = [_text(sample(row)) for row in rows.tolist()]
    note = " Bold: what the tokenizer does not know." if any("**" in text for text in texts) else ""
    of = f"Of {counted(number, 'wrong sample')} among {len(truth):,} of validation, the worst {len(rows)}.{note}"
    return f"{of}\n\n{table([*head, 'text'], [[*own, text] for own, text in zip(cells, texts, strict=True)])}"


def _wrong(net: Net, outputs: Tensor, truth: Tensor) -> tuple[Tensor, Tensor | None]:
    """How wrong each sample is, 0 for right ones; and how sure the network was of the worst that it said."""
    target = net.spec.target
    if isinstance(target, Classes):
        scores = outputs.softmax(dim=1).nan_to_num()
        sure, predicted = scores.max(dim=1)
        margin = sure - scores.gather(1, truth[:, None])[:, 0]
        return torch.where(predicted == truth, 0.0, margin.clamp(min=1e-9)), sure
    if isinstance(target, Labels):
        wrong = (outputs > 0) != (truth > 0)
        worst = (outputs.abs() * wrong).nan_to_num().amax(dim=1)
        return worst, worst.sigmoid()
    return (outputs - truth).abs().mean(dim=1).nan_to_num(), None


def _text(sample: Sample) -> str:
    """As far as the network gets it."""
    parts, room = [], LONGEST
    for piece in sample.text:
        own = "" if piece.kind == CUT else escaped(piece.text[:room])
        parts.append(f"**{own}**" if own and piece.kind == UNKNOWN else own)
        if piece.kind == CUT or len(piece.text) > room:
            return "".join([*parts, "…"])
        room -= len(piece.text)
    return "".join(parts)
