"""Predictions of a network for texts."""

from collections.abc import Sequence

import torch

from litmus.config.protocols import Net
from litmus.data.text.tokens import encode, on_one_line, to_ragged
from litmus.inference.prediction import TextPrediction
from litmus.spec import Tokens, Values

EMPTY = "empty: no prediction"


class TextPredictor:
    """Predicts a class or values for texts.

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
            for i, outputs in zip(numbers, self._outputs(rows.padded(torch.tensor(numbers))), strict=True):
                predictions[i].update(self._prediction(outputs, texts[i]))
                notes = [f"cut to its first {self.tokens.max_length} tokens"] if encoded["cut"][i] else []
                notes += ["none of its words are in the vocabulary"] if encoded["unknown"][i] else []
                if notes:
                    predictions[i]["note"] = "; ".join(notes)
        for line, prediction in zip(lines, predictions, strict=True):
            if not line:
                prediction["note"] = EMPTY
        return predictions

    def _outputs(self, tokens: torch.Tensor) -> list[list[float]]:
        """int64 (batch, length) -> probabilities of the classes, or values in the data's unit, for each text."""
        with torch.inference_mode():
            outputs = self.net(tokens).float()
        target = self.net.spec.target
        if isinstance(target, Values):
            return (outputs * torch.tensor(target.std) + torch.tensor(target.mean)).tolist()
        return outputs.softmax(dim=1).tolist()

    def _prediction(self, outputs: list[float], text: str) -> TextPrediction:
        named = dict(zip(self.net.spec.target.names, outputs, strict=True))
        if isinstance(self.net.spec.target, Values):
            return {"text": text, "values": named}
        return {"text": text, "label": max(named, key=named.__getitem__), "probabilities": named}
