"""Texts and labels from your own table: CSV, TSV, JSON, Parquet or Excel."""

import logging
from collections.abc import Hashable
from pathlib import Path
from typing import ClassVar, Literal

from litmus.config.protocols import SPLITS, Split
from litmus.config.types import (
    BatchSize,
    Column,
    Count,
    File,
    Folds,
    Seed,
    Separator,
    Share,
    Targets,
    Whole,
)
from litmus.config.validate import checked
from litmus.data import _table
from litmus.data._folds import shares_of
from litmus.data._split import are_seen, fingerprint, fingerprints, limits, some_of, split_samples
from litmus.data._target_columns import AnswerKind, TargetColumns, strata
from litmus.data._targets import is_blank
from litmus.data.text.base import Samples, TextData
from litmus.data.text.tokens import on_one_line
from litmus.errors import UserError
from litmus.fetch import local
from litmus.fetch.package import sha256_of
from litmus.spec import Spec, Tokens

log = logging.getLogger(__name__)


class TextTable(TextData):
    """One column of texts, one of labels, or several of numbers.

    `kind` says whether labels are classes or numbers; `auto` treats numeric labels as values if one has a
    fraction or there are more than 20 distinct ones. With a `target_separator`, a cell holds any number of labels, none
    if it is empty. Rows with equal texts, and rows with the same
    entry in the column `group`, are in the same split. `val_path` and `test_path` name separate tables
    for validation and test, in place of `val_share` and `test_share` of the rows.

    Attributes:
        choice: the name of the dataset, as `data=` selects it.
    """

    choice: ClassVar[str] = "text_table"

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        path: File,
        text: Column,
        label: Targets,
        target_separator: Separator | None,
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
        limit_eval: Count | None,
        split_seed: Seed | None,
        folds: Folds | None,
        fold: Whole | None,
        batch_size: BatchSize,
        eval_batch_size: Count,
    ) -> None:
        super().__init__(seed, dir, batch_size, eval_batch_size)
        paths = {"train": path, "val": val_path, "test": test_path}
        self.paths: dict[str, Path] = {split: local.expand(p) for split, p in paths.items() if p is not None}
        self.text, self.group = text, group
        self.labels = TargetColumns([label] if isinstance(label, str) else label, "data.label", kind, target_separator)
        self.shares = shares_of(folds, fold, val_share, test_share)
        self.encoding, self.separator = encoding, separator
        self.limits = limits(limit, limit_eval)
        self.split_seed = seed if split_seed is None else split_seed
        self.source = path

    def prepare_data(self) -> None:
        """Reads, checks and splits the table.

        Raises:
            UserError: it cannot be read, or has too few rows or classes to train on.
        """
        if self.splits:
            return
        tables = {split: self._read(path) for split, path in self.paths.items()}
        labels = self.labels
        kind = labels.kind_in([cells for table in tables.values() for _, cells in table.rows], asks=False)
        self._check(tables, kind)
        # A table is left behind before its rows are split: either takes more than the texts themselves.
        whole = {split: self._samples(tables.pop(split), kind) for split in self.paths}
        splits = {**whole, **self._split(whole["train"], kind)}
        self.splits = {split: self._limited(splits[split], split) for split in SPLITS}
        if empty := [split for split, samples in self.splits.items() if not len(samples)]:
            raise UserError(
                f"{self.source}: no row is left for {' and '.join(empty)}. There are too few rows, or too few groups "
                "(rows with equal texts, or the same data.group, are in the same split)."
            )
        self._warn_of_leaks()
        everything = [target for samples in whole.values() for target in samples.targets]  # whatever the limit
        target = labels.make_target(kind, everything, self.splits["train"].targets, labels.what)
        self.spec = Spec(self.choice, Tokens(), target)

    def _check(self, tables: dict[str, _table.Table], kind: AnswerKind) -> None:
        for split, table in tables.items():
            if kind == "numbers":
                table.drop(self.labels.no_number)
            table.warn_of_problems()
            name = table.path.name if len(tables) == 1 else f"{split}: {table.path.name}"
            self.sha256[name] = sha256_of(table.path)

    def _limited(self, samples: Samples, split: Split) -> Samples:
        """At most `limit` samples: of a separate table, whose order may be that of its classes, at random."""
        limit, number = self.limits[split], len(samples)
        separate = split in self.paths and split != "train"
        return samples.rows(some_of(number, limit, self.split_seed).tolist() if separate else range(number)[:limit])

    def _read(self, path: Path) -> _table.Table:
        wanted = [self.text, *self.labels.names, *([self.group] if self.group else [])]
        if path.suffix.lower() in _table.EXCEL:
            from litmus.data.columns.read import read_rows  # here: other files need no polars

            table = read_rows(path, wanted)
        else:
            lists = self.labels.names
            table = _table.read(path, wanted, encoding=self.encoding, separator=self.separator, lists=lists)
        table.drop(lambda cells: f"empty {self.text}" if is_blank(cells[self.text]) else None)
        table.drop(self.labels.missing)
        return table

    def _samples(self, table: _table.Table, kind: AnswerKind) -> Samples:
        rows = [cells for _, cells in table.rows]
        texts = [on_one_line(str(cells[self.text])) for cells in rows]
        targets = [self.labels.answer(cells, kind) for cells in rows]
        groups: list[tuple[Hashable, ...]] = [(fingerprint(("text", text.casefold())),) for text in texts]
        if self.group:
            entries = [cells[self.group] for cells in rows]
            groups = [own if is_blank(g) else (*own, ("group", g)) for own, g in zip(groups, entries, strict=True)]
            if blank := sum(is_blank(group) for group in entries):
                log.warning("%s: %d rows have no %s; each is a group of its own.", table.path, blank, self.group)
        return Samples(texts, targets, groups)

    def _split(self, samples: Samples, kind: AnswerKind) -> dict[str, Samples]:
        val, test = self.shares.wanted(self.paths)
        rows = split_samples(
            samples.groups,
            strata(samples.targets, kind),
            val=val,
            test=test,
            seed=self.split_seed,
        )
        return {split: samples.rows(rows[split]) for split in rows}

    def _warn_of_leaks(self) -> None:
        """Warns if a separate table repeats samples of another split; the splits of one table never do."""
        earlier: list[tuple[Hashable, ...]] = []
        for split in SPLITS:
            samples = self.splits[split]
            separate = split in self.paths and split != "train"
            if separate and (num_shared := sum(are_seen(samples.groups, fingerprints(earlier)))):
                what = "text or data.group" if self.group else "text"
                message = "%s: %d of %d rows have a %s that is also in the training or validation data."
                log.warning(message, self.paths[split], num_shared, len(samples), what)
            earlier += samples.groups
