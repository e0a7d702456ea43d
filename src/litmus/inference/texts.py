"""A network that reads texts, and what it answers about them."""

from collections.abc import Sequence
from typing import Any

import torch

from litmus.data.text.tokens import encode, on_one_line, to_ragged
from litmus.spec import Values

EMPTY = "empty: no answer"


class TextPredictor:
    """A network, asked about texts."""

    batch_size = 64

    def __init__(self, net: Any) -> None:
        self.net = net

    def predict(self, texts: Sequence[str], batch_size: int) -> list[dict[str, Any]]:
        """One for each text, in their order: `text`, `label` and `probabilities`, or `values`; maybe a `note`."""
        read = self.net.spec.input
        asked = [on_one_line(text) for text in texts]
        made = encode(asked, read)
        rows = to_ragged(made, read)
        found: list[dict[str, Any]] = [{"text": text} for text in texts]
        order = sorted((i for i, text in enumerate(asked) if text), key=lambda i: int(rows.lengths[i]))
        for start in range(0, len(order), batch_size):
            numbers = order[start : start + batch_size]
            for i, answer in zip(numbers, self._batch(rows.padded(torch.tensor(numbers))), strict=True):
                found[i] |= answer
                notes = [f"cut to its first {read.max_length} tokens"] if made["cut"][i] else []
                notes += ["no word of it is known"] if made["unknown"][i] else []
                found[i] |= {"note": "; ".join(notes)} if notes else {}
        for i, text in enumerate(asked):
            if not text:
                found[i]["note"] = EMPTY
        return found

    def _batch(self, tokens: torch.Tensor) -> list[dict[str, Any]]:
        with torch.inference_mode():
            outputs = self.net(tokens).float()
        target = self.net.spec.target
        if isinstance(target, Values):
            values = (outputs * torch.tensor(target.std) + torch.tensor(target.mean)).tolist()
            return [{"values": dict(zip(target.names, row, strict=True))} for row in values]
        probabilities = outputs.softmax(dim=1)
        best = probabilities.argmax(dim=1).tolist()
        return [
            {"label": target.names[i], "probabilities": dict(zip(target.names, row, strict=True))}
            for i, row in zip(best, probabilities.tolist(), strict=True)
        ]
