"""Texts that are sent to a server."""

from collections.abc import Sequence

from litmus.config.explanation import Explanation
from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.inference.serve.bodies import JSON, Body, only_keys, read_json
from litmus.inference.serve.kind import Kind, Outcome, answers, check_number
from litmus.inference.serve.worker import Question
from litmus.inference.texts import TextPredictor


class TextKind(Kind[str]):
    """Classes, labels or values of texts.

    Args:
        predictor: whose network computes anywhere.
        net: the same network on the CPU, for explanations.
    """

    name = "texts"

    def __init__(self, predictor: TextPredictor, net: Net) -> None:
        self.predictor, self.net = predictor, net
        self.batch_size = predictor.batch_size

    @property
    def facts(self) -> Section:
        return {"max_length": self.predictor.tokens.max_length}

    @property
    def schema(self) -> Section:
        return {
            JSON: {
                "type": "object",
                "properties": {"texts": {"type": "array", "items": {"type": "string"}}},
                "required": ["texts"],
            }
        }

    @property
    def example(self) -> tuple[str, str]:
        return ("--json", '{"texts": ["a lovely film"]}')

    def read(self, body: Body) -> list[str]:
        content = read_json(body)
        only_keys(content, "texts")
        texts = content.get("texts")
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise UserError('This network takes texts: {"texts": ["a text", "another one"]}.')
        check_number(texts, "texts")
        return texts

    def predict(self, questions: Sequence[Question[str]]) -> list[Outcome]:
        texts = [text for question in questions for text in question.items]
        topk = max(question.topk for question in questions)
        return answers(questions, self.predictor.predict(texts, self.batch_size, topk))

    def explain(self, item: str, target: str | None) -> list[Explanation]:
        from litmus.inference.explain.texts import TextExplainer

        return [TextExplainer(self.net).explain(item, target)]
