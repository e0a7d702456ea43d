"""Texts and labels out of a table of one's own: CSV, TSV, JSON lines or Parquet."""

import logging
import math
from pathlib import Path
from typing import Any, Literal

from litmus.check import Column, Count, File, Refused, Seed, Share, checked
from litmus.data import _table
from litmus.data._split import split_groups
from litmus.data._text import Samples, TextData, classes, readable, values
from litmus.shipped import sha256_of
from litmus.spec import Spec, Tokens

log = logging.getLogger(__name__)

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
        """Reads, checks and splits the table; raises `Refused` where nothing can be learned from it."""
        if self.parts:
            return
        tables = {part: self._read(path) for part, path in self.paths.items()}
        numeric = self._is_numeric(tables)
        for table in tables.values():
            if numeric:
                table.keep(
                    lambda cells: None if _table.number(cells[self.label]) is not None else f"no number as {self.label}"
                )
            table.settle()
            self.sha256[table.path.name] = sha256_of(table.path)
        whole = {part: self._samples(table, numeric) for part, table in tables.items()}
        parts = {**self._split(tables["train"], whole["train"]), **{p: s for p, s in whole.items() if p != "train"}}
        self.parts = {
            part: parts[part].rows(range(len(parts[part]))[: self.limit]) for part in ("train", "val", "test")
        }
        self._warn_of_leaks(whole)
        if empty := [part for part, samples in self.parts.items() if not len(samples)]:
            raise Refused(f"{self.source} has too few rows: none is left for {' and '.join(empty)}.")
        training = self.parts["train"].targets
        if numeric:
            self.spec = Spec("text_table", Tokens(), values(self.label, training))
            return
        classes_ = _sorted({target for samples in self.parts.values() for target in samples.targets})
        self.spec = Spec("text_table", Tokens(), classes(classes_, training, f"data.label={self.label}"))

    def _read(self, path: Path) -> _table.Table:
        wanted = [self.text, self.label, *([self.group] if self.group else [])]
        table = _table.read(path, wanted, encoding=self.encoding, separator=self.separator)
        table.keep(lambda cells: f"empty {self.text}" if _blank(cells[self.text]) else None)
        table.keep(lambda cells: f"no {self.label}" if _blank(cells[self.label]) else None)
        return table

    def _is_numeric(self, tables: dict[str, _table.Table]) -> bool:
        if self.kind != "auto":
            return self.kind == "numbers"
        labels = {cells[self.label] for table in tables.values() for _, cells in table.rows}
        numbers = [_table.number(label) for label in labels]
        known = [number for number in numbers if number is not None]
        numeric = len(known) == len(numbers) and (
            len(set(known)) > MOST_CLASSES or any(number != round(number) for number in known)
        )
        what = f"numbers, from {min(known):g} to {max(known):g}" if numeric else f"{len(labels)} classes"
        other = "classes" if numeric else "numbers"
        log.info("data.label=%s holds %s; data.kind=%s would take them for %s", self.label, what, other, other)
        return numeric

    def _samples(self, table: _table.Table, numeric: bool) -> Samples:
        cells = [cells for _, cells in table.rows]
        labels = [_table.number(c[self.label]) if numeric else _name(c[self.label]) for c in cells]
        return Samples([readable(str(c[self.text])) for c in cells], labels)

    def _split(self, table: _table.Table, samples: Samples) -> dict[str, Samples]:
        shares = {part: share for part, share in self.shares.items() if part not in self.paths}
        if (rest := 1 - sum(shares.values())) <= 0:
            raise Refused(f"data.val_share and data.test_share leave nothing to train on: they sum to {1 - rest:g}.")
        ties: list[list[Any]] = [[("text", text.casefold())] for text in samples.texts]
        if self.group:
            for own, (_, cells) in zip(ties, table.rows, strict=True):
                own.append(("group", cells[self.group]))
        numbers = isinstance(samples.targets[0], float) if len(samples) else False
        strata = [0] * len(samples) if numbers else samples.targets
        rows = split_groups(ties, strata, {"train": rest, **shares}, self.seed)
        return {part: samples.rows(rows[part]) for part in rows}

    def _warn_of_leaks(self, whole: dict[str, Samples]) -> None:
        training = {text.casefold() for text in self.parts["train"].texts}
        for part in whole:
            known = sum(text.casefold() in training for text in whole[part].texts) if part != "train" else 0
            if known:
                log.warning("%s: %d of %d texts are training texts, too.", self.paths[part], known, len(whole[part]))


def _blank(cell: Any) -> bool:
    return cell is None or not str(cell).strip() or (isinstance(cell, float) and math.isnan(cell))


def _name(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    return f"{cell:g}" if isinstance(cell, float) else str(cell).strip()


def _sorted(names: set[str]) -> list[str]:
    numbers = {name: _table.number(name) for name in names}
    if all(number is not None for number in numbers.values()):
        return sorted(names, key=lambda name: numbers[name] or 0.0)
    return sorted(names)
