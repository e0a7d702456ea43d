"""Predictions of a network for texts."""

from collections.abc import Sequence
from typing import ClassVar

import torch

from litmus.config.protocols import Net
from litmus.data.text.tokens import encode, on_one_line, to_ragged
from litmus.inference.prediction import TOPK, TextPrediction, key_of, predictions_of
from litmus.spec import Input, Tokens

EMPTY = "empty: no prediction"


class TextPredictor:
    """Predicts a class, labels or values for texts.

    Args:
        net: in evaluation mode; its input are tokens.

    Attributes:
        key: of the figures in a prediction.
        names: of the classes or values.
    """

    input_kind: ClassVar[type[Input]] = Tokens
    batch_size = 64

    def __init__(self, net: Net) -> None:
        assert isinstance(net.spec.input, Tokens)
        self.net = net
        self.tokens = net.spec.input
        self.key, self.names = key_of(net), net.spec.target.names

    def predict(self, texts: Sequence[str], batch_size: int, topk: int = TOPK) -> list[TextPrediction]:
        """A prediction for each text, in order.

        Args:
            texts: any; line breaks and runs of spaces count as one space.
            batch_size: texts at a time; it changes no prediction.
            topk: classes of a text, the best first.
        """
        lines = [on_one_line(text) for text in texts]
        encoded = encode(lines, self.tokens)
        rows = to_ragged(encoded, self.tokens)
        predictions: list[TextPrediction] = [{"text": text} for text in texts]
        # By length, so that a batch holds hardly any padding.
        order = sorted((i for i, line in enumerate(lines) if line), key=lambda i: int(rows.lengths[i]))
        for start in range(0, len(order), batch_size):
            numbers = order[start : start + batch_size]
            with torch.inference_mode():
                outputs = self.net(rows.padded(torch.tensor(numbers)))
            found = predictions_of(self.net, outputs, topk)
            for i, own in zip(numbers, found, strict=True):
                predictions[i] = {"text": texts[i], **own}
                notes = [f"cut to its first {self.tokens.max_length} tokens"] if encoded["cut"][i] else []
                notes += ["none of its words are in the vocabulary"] if encoded["unknown"][i] else []
                if notes:
                    predictions[i]["note"] = "; ".join(notes)
        for line, prediction in zip(lines, predictions, strict=True):
            if not line:
                prediction["note"] = EMPTY
        return predictions
