"""Which words of a text speak for a network's answer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from litmus.config.explanation import Explanation, Part
from litmus.config.protocols import Net
from litmus.data.text.tokens import Token, on_one_line, tokens_of
from litmus.errors import UserError
from litmus.inference.explain.attribution import giving, integrated_gradients
from litmus.inference.explain.target import chosen, score_of
from litmus.inference.prediction import TOPK, predictions_of
from litmus.spec import Tokens

METHOD = "integrated gradients"
BASELINE = "the same text of nothing but padding"


class TextExplainer:
    """Explains the answers of a network for texts, word by word.

    Words are compared with padding in their places; the tokens that begin and end a text stay as they are.

    Args:
        net: in evaluation mode; its input are tokens.

    Raises:
        UserError: the network has no embedding of its tokens.
    """

    def __init__(self, net: Net) -> None:
        assert isinstance(net.spec.input, Tokens)
        self.net, self.tokens = net, net.spec.input
        tables = [module for _, module in net.named_modules() if isinstance(module, nn.Embedding)]
        of_words = [table for table in tables if table.num_embeddings >= self.tokens.vocabulary_size]
        if not of_words:
            raise UserError("This network has no nn.Embedding of its tokens, so words cannot be explained.")
        self.embedding = of_words[0]

    def explain(self, text: str, target: str | None) -> Explanation:
        """What each word adds to the output.

        Args:
            text: any; line breaks and runs of spaces count as one space.
            target: the class, label or value to explain; None takes the likeliest.

        Raises:
            UserError: the text is empty, or there is no such target.
        """
        line = on_one_line(text)
        found = tokens_of(line, self.tokens)
        if all(token.word is None for token in found):
            raise UserError("The text is empty: there is nothing to explain.")
        numbers = torch.tensor([[token.number for token in found]])
        kept = [token.number if token.word is None else self.tokens.padding for token in found]
        with torch.no_grad():
            outputs, own, nothing = self.net(numbers), self.embedding(numbers), self.embedding(torch.tensor([kept]))
        number = chosen(self.net, outputs, target)
        score = score_of(self.net, number)
        with giving(self.embedding) as give:

            def of_embeddings(embedded: Tensor) -> Tensor:
                give(embedded)
                return score(numbers.expand(len(embedded), -1))

            integrated = integrated_gradients(of_embeddings, own, nothing)
        (prediction,) = predictions_of(self.net, outputs, TOPK)
        return Explanation(
            line,
            self.net.spec.target.names[number],
            dict(prediction),
            integrated.output,
            integrated.reference,
            BASELINE,
            METHOD,
            integrated.error,
            kind="text",
            parts=_words(line, found, integrated.values[0].sum(dim=1).tolist()),
        )


def _words(text: str, tokens: Sequence[Token], values: Sequence[float]) -> list[Part]:
    """The words in order, each with the sum over its tokens; then what was cut off."""
    spans: dict[int, tuple[int, int]] = {}
    sums: dict[int, float] = {}
    for token, value in zip(tokens, values, strict=True):
        if token.word is not None:
            first, last = spans.get(token.word, (token.first, token.last))
            spans[token.word] = min(first, token.first), max(last, token.last)
            sums[token.word] = sums.get(token.word, 0.0) + value
    parts = [Part(text[first:last], "", sums[word]) for word, (first, last) in spans.items()]
    rest = text[max(last for _, last in spans.values()) :].strip()
    return [*parts, Part(rest, "", None)] if rest else parts
