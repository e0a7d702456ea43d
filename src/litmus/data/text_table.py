"""Texts and labels out of a table of one's own: CSV, TSV, JSON lines or Parquet."""

import logging
import math
from collections.abc import Hashable
from pathlib import Path
from typing import Any, Literal

from litmus.config.protocols import SPLITS
from litmus.config.types import Column, Count, File, Seed, Share
from litmus.config.validate import checked
from litmus.data import _table
from litmus.data._base import classes
from litmus.data._split import fingerprints, known, split_parts
from litmus.data.text.base import Samples, TextData, on_one_line, values
from litmus.errors import UserError
from litmus.fetch.package import sha256_of
from litmus.spec import Spec, Tokens

log = logging.getLogger(__name__)

MOSTLY = 0.9  # of the labels must be numbers, for the others to count as mistakes
MOST_CLASSES = 20  # labels that are numbers, with more different ones than this, are taken for values


class TextTable(TextData):
    """One column of texts, one of labels.

    `kind` says whether labels are classes or numbers; `auto` takes numbers for values where one has a
    fraction or there are more than 20 different ones. Rows with equal texts, and rows with the same
    entry in the column `group`, stay on one side of the split. `val_path` and `test_path` name tables
    of their own for validation and test, in place of `val_share` and `test_share` of the rows.
    """

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        path: File,
        text: Column,
        label: Column,
        kind: Literal["auto", "classes", "numbers"],
        group: Column | None,
        val_path: File | None,
        test_path: File | None,
        val_share: Share,
        test_share: Share,
        encoding: str,
        separator: Literal["auto", "comma", "semicolon", "tab", "pipe"],
        dir: str | None,
        limit: Count | None,
        batch_size: Count,
        eval_batch_size: Count,
    ) -> None:
        super().__init__(seed, dir, batch_size, eval_batch_size)
        paths = {"train": path, "val": val_path, "test": test_path}
        self.paths: dict[str, Path] = {part: Path(p).expanduser() for part, p in paths.items() if p is not None}
        self.text, self.label, self.group = text, label, group
        self.kind = kind
        self.shares = {"val": val_share, "test": test_share}
        self.encoding, self.separator = encoding, separator
        self.limit = limit
        self.source = path

    def prepare_data(self) -> None:
        """Reads, checks and splits the table; raises `UserError` where nothing can be learned from it."""
        if self.parts:
            return
        tables = {part: self._read(path) for part, path in self.paths.items()}
        numeric = self._is_numeric([cells[self.label] for table in tables.values() for _, cells in table.rows])
        for part, table in tables.items():
            if numeric:
                table.keep(lambda cells: None if self._number(cells) is not None else f"no number as {self.label}")
            table.warn_of_problems()
            name = table.path.name if len(tables) == 1 else f"{part}: {table.path.name}"
            self.sha256[name] = sha256_of(table.path)
        whole = {part: self._samples(table, numeric) for part, table in tables.items()}
        parts = {**whole, **self._split(whole["train"], numeric)}
        self.parts = {part: parts[part].rows(range(len(parts[part]))[: self.limit]) for part in SPLITS}
        if empty := [part for part, samples in self.parts.items() if not len(samples)]:
            raise UserError(
                f"{self.source}: nothing is left for {' and '.join(empty)}. There are too few rows, or too few groups "
                "(rows with equal texts, or the same data.group, stay together)."
            )
        self._warn_of_leaks()
        training = self.parts["train"].targets
        if numeric:
            self.spec = Spec("text_table", Tokens(), values(self.label, training))
            return
        labels = _sorted({target for samples in self.parts.values() for target in samples.targets})
        self.spec = Spec("text_table", Tokens(), classes(labels, training, f"data.label={self.label}"))

    def _read(self, path: Path) -> _table.Table:
        wanted = [self.text, self.label, *([self.group] if self.group else [])]
        table = _table.read(path, wanted, encoding=self.encoding, separator=self.separator)
        table.keep(lambda cells: f"empty {self.text}" if _blank(cells[self.text]) else None)
        table.keep(lambda cells: f"no {self.label}" if _blank(cells[self.label]) else None)
        return table

    def _is_numeric(self, labels: list[Any]) -> bool:
        """Whether labels are values, not classes; a few that are no numbers do not change that.

        Raises:
            UserError: they are neither: nearly each is another.
        """
        if self.kind == "numbers" or not labels:
            return self.kind == "numbers"
        numbers = [n for label in labels if (n := _table.number(label)) is not None]
        looks = len(set(numbers)) > MOST_CLASSES or any(n != round(n) for n in numbers)
        if self.kind == "auto" and looks and len(numbers) >= MOSTLY * len(labels):
            log.info("data.label=%s: numbers; data.kind=classes would take them for classes", self.label)
            return True
        different = {_name(label) for label in labels}
        if len(different) > max(MOST_CLASSES, len(labels) // 2):
            raise UserError(
                f"data.label={self.label} holds {len(different):,} different labels in {len(labels):,} rows: neither "
                "classes nor numbers. Which column says what is to be learned?"
            )
        log.info("data.label=%s: %d classes", self.label, len(different))
        return False

    def _number(self, cells: dict[str, Any]) -> float | None:
        return _table.number(cells[self.label])

    def _samples(self, table: _table.Table, numeric: bool) -> Samples:
        rows = [cells for _, cells in table.rows]
        texts = [on_one_line(str(cells[self.text])) for cells in rows]
        labels = [self._number(cells) if numeric else _name(cells[self.label]) for cells in rows]
        groups: list[tuple[Hashable, ...]] = [(("text", text.casefold()),) for text in texts]
        if self.group:
            entries = [cells[self.group] for cells in rows]
            groups = [own if _blank(g) else (*own, ("group", g)) for own, g in zip(groups, entries, strict=True)]
            if blank := sum(_blank(group) for group in entries):
                log.warning("%s: %d rows have no %s; each counts as a group.", table.path, blank, self.group)
        return Samples(texts, labels, groups)

    def _split(self, samples: Samples, numeric: bool) -> dict[str, Samples]:
        shares = {part: None if part in self.paths else share for part, share in self.shares.items()}
        if (taken := sum(share or 0.0 for share in shares.values())) >= 1:
            raise UserError(f"data.val_share and data.test_share leave nothing to train on: they sum to {taken:g}.")
        strata = [0] * len(samples) if numeric else samples.targets
        rows = split_parts(samples.groups, strata, val_share=shares["val"], test_share=shares["test"], seed=self.seed)
        return {part: samples.rows(rows[part]) for part in rows}

    def _warn_of_leaks(self) -> None:
        """Tables of their own may repeat what another part holds; one that was split does not."""
        earlier: list[tuple[Hashable, ...]] = []
        for part in SPLITS:
            samples = self.parts[part]
            if part in self.paths and part != "train" and (shared := sum(known(samples.groups, fingerprints(earlier)))):
                what = "text or data.group" if self.group else "text"
                said = "%s: %d of %d rows have a %s that training or validation has, too."
                log.warning(said, self.paths[part], shared, len(samples), what)
            earlier += samples.groups


def _blank(cell: Any) -> bool:
    return cell is None or not str(cell).strip() or (isinstance(cell, float) and math.isnan(cell))


def _name(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):  # whole numbers arrive so from a column with gaps
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return str(cell).strip()


def _sorted(names: set[str]) -> list[str]:
    numbers = {name: _table.number(name) for name in names}
    if all(number is not None for number in numbers.values()):
        return sorted(names, key=lambda name: numbers[name] or 0.0)
    return sorted(names)
