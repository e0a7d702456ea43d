"""Texts and labels from your own table: CSV, TSV, JSON lines or Parquet."""

import logging
from collections import Counter
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Literal

from litmus.config.protocols import SPLITS
from litmus.config.types import BatchSize, Column, Count, File, Seed, Share
from litmus.config.validate import checked
from litmus.data import _table
from litmus.data._classes import make_classes
from litmus.data._preflight import check_shares
from litmus.data._split import are_seen, fingerprints, limits, split_samples
from litmus.data._targets import is_blank, is_numeric, name_of, sort_names
from litmus.data.text.base import Label, Samples, TextData, text_values
from litmus.data.text.tokens import on_one_line
from litmus.errors import UserError
from litmus.fetch import local
from litmus.fetch.package import sha256_of
from litmus.spec import Spec, Tokens

log = logging.getLogger(__name__)


class TextTable(TextData):
    """One column of texts, one of labels.

    `kind` says whether labels are classes or numbers; `auto` treats numeric labels as values if one has a
    fraction or there are more than 20 distinct ones. Rows with equal texts, and rows with the same
    entry in the column `group`, are in the same split. `val_path` and `test_path` name separate tables
    for validation and test, in place of `val_share` and `test_share` of the rows.
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
        limit_eval: Count | None,
        split_seed: Seed | None,
        batch_size: BatchSize,
        eval_batch_size: Count,
    ) -> None:
        super().__init__(seed, dir, batch_size, eval_batch_size)
        paths = {"train": path, "val": val_path, "test": test_path}
        self.paths: dict[str, Path] = {split: local.expand(p) for split, p in paths.items() if p is not None}
        self.text, self.label, self.group = text, label, group
        self.kind = kind
        self.shares = {"val": val_share, "test": test_share}
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
        counts = Counter(name_of(cells[self.label]) for table in tables.values() for _, cells in table.rows)
        numeric = is_numeric("data.label", self.label, self.kind, counts)
        for split, table in tables.items():
            if numeric:
                table.drop(lambda cells: None if self._number(cells) is not None else f"no number in {self.label}")
            table.warn_of_problems()
            name = table.path.name if len(tables) == 1 else f"{split}: {table.path.name}"
            self.sha256[name] = sha256_of(table.path)
        whole = {split: self._samples(table, numeric) for split, table in tables.items()}
        splits = {**whole, **self._split(whole["train"], numeric)}
        self.splits = {split: splits[split].rows(range(len(splits[split]))[: self.limits[split]]) for split in SPLITS}
        if empty := [split for split, samples in self.splits.items() if not len(samples)]:
            raise UserError(
                f"{self.source}: no row is left for {' and '.join(empty)}. There are too few rows, or too few groups "
                "(rows with equal texts, or the same data.group, are in the same split)."
            )
        self._warn_of_leaks()
        training = self.splits["train"].targets
        if numeric:
            self.spec = Spec("text_table", Tokens(), text_values(self.label, training))
            return
        labels = sort_names({str(target) for samples in self.splits.values() for target in samples.targets})
        self.spec = Spec(
            "text_table",
            Tokens(),
            make_classes(labels, [str(target) for target in training], f"data.label={self.label}"),
        )

    def _read(self, path: Path) -> _table.Table:
        wanted = [self.text, self.label, *([self.group] if self.group else [])]
        table = _table.read(path, wanted, encoding=self.encoding, separator=self.separator)
        table.drop(lambda cells: f"empty {self.text}" if is_blank(cells[self.text]) else None)
        table.drop(lambda cells: f"no {self.label}" if is_blank(cells[self.label]) else None)
        return table

    def _number(self, cells: _table.Cells) -> float | None:
        return _table.number(cells[self.label])

    def _samples(self, table: _table.Table, numeric: bool) -> Samples:
        rows = [cells for _, cells in table.rows]
        texts = [on_one_line(str(cells[self.text])) for cells in rows]
        numbers = [number for cells in rows if (number := self._number(cells)) is not None] if numeric else []
        targets: list[Label] = [*numbers] if numeric else [name_of(cells[self.label]) for cells in rows]
        groups: list[tuple[Hashable, ...]] = [(("text", text.casefold()),) for text in texts]
        if self.group:
            entries = [cells[self.group] for cells in rows]
            groups = [own if is_blank(g) else (*own, ("group", g)) for own, g in zip(groups, entries, strict=True)]
            if blank := sum(is_blank(group) for group in entries):
                log.warning("%s: %d rows have no %s; each is a group of its own.", table.path, blank, self.group)
        return Samples(texts, targets, groups)

    def _split(self, samples: Samples, numeric: bool) -> dict[str, Samples]:
        shares = {split: None if split in self.paths else share for split, share in self.shares.items()}
        check_shares(*(share for share in shares.values() if share is not None))
        strata: Sequence[Label] = [0.0] * len(samples) if numeric else samples.targets
        rows = split_samples(
            samples.groups, strata, val_share=shares["val"], test_share=shares["test"], seed=self.split_seed
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
