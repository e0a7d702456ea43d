"""Columns of a table that are to be predicted, row by row: classes, labels, or numbers."""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from litmus.data import _numbers, _table
from litmus.data._classes import list_some, make_classes
from litmus.data._labels import Marked, make_labels, multi_hot, rarest, refuse_lists, split_cell
from litmus.data._preflight import check_target
from litmus.data._targets import TargetKind, is_blank, is_numeric, make_values, name_of, sort_names
from litmus.errors import UserError
from litmus.spec import Labels, Target, Values

Answer = str | Marked | tuple[float, ...]  # the name of a class, names of labels, or numbers
AnswerKind = Literal["classes", "labels", "numbers"]


@dataclass(frozen=True)
class TargetColumns:
    """What is said of them.

    Attributes:
        names: of the columns; several have to be numbers.
        key: that names them in messages, such as `data.label`.
        kind: as requested.
        separator: of labels in a cell, or None.

    Raises:
        UserError: what is said does not fit together.
    """

    names: Sequence[str]
    key: str
    kind: TargetKind
    separator: str | None

    def __post_init__(self) -> None:
        check_target(self.names, self.key, self.kind, self.separator)

    @property
    def what(self) -> str:
        """As messages call them: `data.label=[width,height]`."""
        return f"{self.key}={self.names[0] if len(self.names) == 1 else '[' + ','.join(self.names) + ']'}"

    def kind_in(self, rows: Collection[_table.Cells], asks: bool) -> AnswerKind:
        """What the rows hold.

        Args:
            rows: of all splits.
            asks: see `is_numeric`.

        Raises:
            UserError: it cannot be told, or is neither; cells are lists.
        """
        if self.separator is not None:
            return "labels"
        if len(self.names) > 1:
            return "numbers"
        refuse_lists((cells[self.names[0]] for cells in rows), self.what)
        counts = Counter(name_of(cells[self.names[0]]) for cells in rows if not is_blank(cells[self.names[0]]))
        return "numbers" if is_numeric(self.key, self.names[0], self.kind, counts, asks=asks) else "classes"

    def missing(self, cells: _table.Cells) -> str | None:
        """What a row lacks, whatever the kind; a row without labels lacks none."""
        if self.separator is not None:
            return None
        return next((f"no {name}" for name in self.names if is_blank(cells[name])), None)

    def no_number(self, cells: _table.Cells) -> str | None:
        """In which of its columns a row has no number."""
        return next((f"no number in {name}" for name in self.names if _numbers.number(cells[name]) is None), None)

    def answer(self, cells: _table.Cells, kind: AnswerKind) -> Answer:
        """What is to be predicted for a row that lacks nothing."""
        if kind == "numbers":
            return tuple(number for name in self.names if (number := _numbers.number(cells[name])) is not None)
        if self.separator is not None:
            return split_cell(cells[self.names[0]], self.separator)
        return sys.intern(name_of(cells[self.names[0]]))  # one string for all samples of a class

    def make_target(
        self,
        kind: AnswerKind,
        everything: Sequence[Answer],
        training: Sequence[Answer],
        what: str,
        order: Callable[[Collection[str]], list[str]] = sort_names,
    ) -> Target:
        """What is predicted, with the facts of the training samples.

        Args:
            kind: of the answers.
            everything: the answers of all splits.
            training: those of the training samples.
            what: names their source in messages.
            order: of the names of classes.

        Raises:
            UserError: there is nothing to tell apart, or nothing to learn it from.
        """
        if kind == "numbers":
            return make_values(self.names, numbers_of(training, len(self.names)))
        if kind == "labels":
            return make_labels([_marked(own) for own in everything], what, str(self.separator))
        return make_classes(order({str(own) for own in everything}), [str(own) for own in training], what)


def strata(answers: Sequence[Answer], kind: AnswerKind) -> list[Hashable]:
    """Of each sample what should be as frequent in every split: its class, or its rarest label."""
    if kind == "labels":
        return [*rarest([_marked(own) for own in answers])]
    return [0] * len(answers) if kind == "numbers" else [*answers]


def to_tensor(answers: Sequence[Answer], target: Target, data: str) -> Tensor:
    """Class numbers, int64 (samples,); labels, uint8 (samples, labels); or values, float64 (samples, values).

    Raises:
        UserError: a class or label is none of the target's.
    """
    if isinstance(target, Values):
        return numbers_of(answers, len(target.names))
    if isinstance(target, Labels):
        return multi_hot([_marked(own) for own in answers], target, data)
    number = {name: i for i, name in enumerate(target.names)}
    if unknown := sorted({str(own) for own in answers} - set(number)):
        raise UserError(f"data={data} has classes that the network was not trained on: {list_some(unknown)}.")
    return torch.tensor([number[str(own)] for own in answers], dtype=torch.int64)


def numbers_of(answers: Sequence[Answer], num_columns: int) -> Tensor:
    """float64 (samples, columns)."""
    return torch.tensor(answers, dtype=torch.float64).reshape(-1, num_columns)


def _marked(answer: Answer) -> Marked:
    assert not isinstance(answer, str)
    return tuple(map(str, answer))
