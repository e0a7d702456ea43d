"""What a server does for each kind of input: read a request, predict, explain, and say what it takes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import ClassVar, Generic, TypeVar

from litmus.config.explanation import Explanation
from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.inference.serve.bodies import Body
from litmus.inference.serve.limits import LARGEST_TEXT, MOST_ITEMS
from litmus.inference.serve.pictures import png_address
from litmus.inference.serve.worker import Question
from litmus.page.explanation import colored

Item = TypeVar("Item")
Outcome = Section | UserError  # an answer, or why there is none
RANKED = ("probabilities", "scores")


class Kind(ABC, Generic[Item]):
    """One kind of input.

    Attributes:
        name: of it, as /api/run gives it.
        largest: bytes of a request.
        batch_size: items that are predicted together.
        net: on the CPU, in evaluation mode.
    """

    name: ClassVar[str]
    largest: ClassVar[int] = LARGEST_TEXT
    batch_size: int
    net: Net

    @property
    @abstractmethod
    def facts(self) -> Section:
        """What the network takes, for a page or a program that asks."""

    @property
    @abstractmethod
    def schema(self) -> Section:
        """The content of a request, as OpenAPI describes it: a schema by the content's type."""

    @property
    @abstractmethod
    def example(self) -> tuple[str, str]:
        """An option of curl and its value, which send an input."""

    @abstractmethod
    def read(self, body: Body) -> list[Item]:
        """The items of a request, at least one.

        Raises:
            UserError: it holds something else.
        """

    @abstractmethod
    def predict(self, questions: Sequence[Question[Item]]) -> list[Outcome]:
        """An answer for each of some questions that wait together."""

    @abstractmethod
    def explain(self, item: Item, target: str | None) -> list[Explanation]:
        """Why the network answers so.

        Raises:
            UserError: there is nothing to explain, or no such target.
        """


def check_number(items: Sequence[object], noun: str) -> None:
    """Checks that a request has as many items as one may.

    Raises:
        UserError: there is none, or there are too many.
    """
    if not items:
        raise UserError(f"There are no {noun} in the request.")
    if len(items) > MOST_ITEMS:
        raise UserError(f"{len(items):,} {noun} are too many: at most {MOST_ITEMS:,} may be sent at a time.")


def answers(questions: Sequence[Question[Item]], predictions: Iterable[Mapping[str, object]]) -> list[Outcome]:
    """The predictions of each question, in order; of classes, as many as it asks for.

    Args:
        questions: that were asked together.
        predictions: one for each of their items; an `error` in one is the answer to its question.
    """
    waiting = iter(predictions)
    return [_answer(list(islice(waiting, len(question.items))), question.topk) for question in questions]


def _answer(predictions: Sequence[Mapping[str, object]], topk: int) -> Outcome:
    for prediction in predictions:
        if "error" in prediction:
            return UserError(f"{prediction['image']} {prediction['error']}.")
    return {"predictions": [_best(prediction, topk) for prediction in predictions]}


def _best(prediction: Mapping[str, object], topk: int) -> Section:
    """The prediction with its best classes only, which come first."""
    return {
        key: dict(islice(value.items(), topk)) if key in RANKED and isinstance(value, dict) else value
        for key, value in prediction.items()
    }


def as_plain(explanation: Explanation) -> Section:
    """An explanation in JSON; its heats are pictures."""
    plain = {**explanation.to_plain(), "said": explanation.said}
    if explanation.pixels is not None:
        plain["pixels"] = png_address(explanation.pixels)
        plain["heats"] = {
            heat.method: png_address(colored(heat.values, explanation.pixels)) for heat in explanation.heats
        }
    return plain
