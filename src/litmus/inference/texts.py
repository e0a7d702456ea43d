"""Predictions of a network for texts."""

from collections.abc import Sequence

import torch
from torch import Tensor

from litmus.config.protocols import Net
from litmus.data.text.tokens import encode, on_one_line, to_ragged
from litmus.inference.prediction import Figures, TextPrediction, figures_of, say
from litmus.spec import Tokens

EMPTY = "empty: no prediction"


class TextPredictor:
    """Predicts a class, labels or values for texts.

    Args:
        net: in evaluation mode, on the CPU; its input are tokens.
    """

    batch_size = 64

    def __init__(self, net: Net) -> None:
        assert isinstance(net.spec.input, Tokens)
        self.net = net
        self.tokens = net.spec.input

    def predict(self, texts: Sequence[str], batch_size: int) -> list[TextPrediction]:
        """A prediction for each text, in order.

        Args:
            texts: any; line breaks and runs of spaces count as one space.
            batch_size: texts at a time; it changes no prediction.
        """
        lines = [on_one_line(text) for text in texts]
        encoded = encode(lines, self.tokens)
        rows = to_ragged(encoded, self.tokens)
        predictions: list[TextPrediction] = [{"text": text} for text in texts]
        # By length, so that a batch holds hardly any padding.
        order = sorted((i for i, line in enumerate(lines) if line), key=lambda i: int(rows.lengths[i]))
        for start in range(0, len(order), batch_size):
            numbers = order[start : start + batch_size]
            key, figures = self._figures(rows.padded(torch.tensor(numbers)))
            for i, own in zip(numbers, figures.tolist(), strict=True):
                predictions[i][key] = named = dict(zip(self.net.spec.target.names, own, strict=True))
                say(predictions[i], key, named, self.net.spec.target)
                notes = [f"cut to its first {self.tokens.max_length} tokens"] if encoded["cut"][i] else []
                notes += ["none of its words are in the vocabulary"] if encoded["unknown"][i] else []
                if notes:
                    predictions[i]["note"] = "; ".join(notes)
        for line, prediction in zip(lines, predictions, strict=True):
            if not line:
                prediction["note"] = EMPTY
        return predictions

    def _figures(self, tokens: Tensor) -> tuple[Figures, Tensor]:
        """int64 (batch, length) -> the key of a prediction, and float32 (batch, names), values in the data's unit."""
        with torch.inference_mode():
            return figures_of(self.net, self.net(tokens))
