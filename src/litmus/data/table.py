"""Rows and columns of your own: CSV, TSV, JSON, Parquet or Excel."""

import logging
import math
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.config.protocols import SPLITS, Split
from litmus.config.sample import Sample
from litmus.config.types import (
    USUAL_BATCH,
    BatchSize,
    Column,
    ColumnNames,
    Count,
    File,
    Folds,
    Section,
    Seed,
    Separator,
    Share,
    Targets,
    Whole,
)
from litmus.config.validate import checked
from litmus.data import _table
from litmus.data._ahead import placed, placed_targets
from litmus.data._base import Data
from litmus.data._classes import count_classes, list_some, make_classes
from litmus.data._concerns import num_repeated, of_equal_rows, of_leaks
from litmus.data._folds import Fold, shares_of
from litmus.data._labels import Marked, make_labels, multi_hot, rarest, refuse_lists, split_cell
from litmus.data._loader import BatchLoader, as_stored, batch_size_for
from litmus.data._preflight import check_table_roles, check_target
from litmus.data._split import limits, select_unseen, some_of, split_rows, time_bounds
from litmus.data._targets import is_numeric, make_values, scaled, sort_names
from litmus.data.columns.discover import Found, as_columns, date_format, discover
from litmus.data.columns.encode import as_days, as_numbers, check_columns, encode, values_of
from litmus.data.columns.leaks import find_leaks
from litmus.data.columns.read import as_names, read_table
from litmus.data.columns.rows import row_fingerprints, row_words
from litmus.errors import UserError
from litmus.fetch import local
from litmus.fetch.package import sha256_of
from litmus.spec import Classes, Columns, Labels, Spec, Target, Values

log = logging.getLogger(__name__)

MOST_NUMBERS, MOST_ONES = 10_000_000, 50  # of a split, and of a category: for a baseline
MOST_LABELS = 20  # of which is looked whether a column tells them, which takes a millisecond for each of both
MOST_CELLS = 16  # of a row that are shown, of what the network sees
MOST_DROPPED = 0.5  # fraction of rows without a target


class Table(Data):
    """Columns of numbers, categories, dates, and yes and no; what each is, is discovered from the training rows.

    Numbers are standardized, or given by their rank (`scaling=quantile`); missing ones count as the training median,
    with an indicator. Categories are numbered, dates unfolded (see `spec.Columns`). Text, constant columns and
    identifiers are left out, unless `numeric` or `categorical` name them. `kind` says what the target is; `auto` treats
    numeric targets as values if one has a fraction or there are more than 20 distinct ones. Several targets are values.
    With a `target_separator`, a cell of the target holds any number of labels, none if it is empty.

    Rows are split at random, stratified by class; by `group`, whose rows stay together; or by `time`, where the last
    rows are the test. `val_path` and `test_path` name separate tables, in place of `val_share` and `test_share`.

    Attributes:
        choice: the name of the dataset, as `data=` selects it.
        splits: the rows of each split, as `read_table` gives them.
    """

    choice: ClassVar[str] = "table"
    input_kinds: ClassVar = (Columns,)
    target_kinds: ClassVar[tuple[type[Target], ...]] = (Classes, Labels, Values)
    is_tabular: ClassVar = True
    flat_noun = "columns"

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        path: File,
        target: Targets,
        target_separator: Separator | None,
        kind: Literal["auto", "classes", "numbers"],
        numeric: ColumnNames,
        categorical: ColumnNames,
        ignore: ColumnNames,
        thousands: ColumnNames | None,
        scaling: Literal["standard", "quantile"],
        group: Column | None,
        time: Column | None,
        val_path: File | None,
        test_path: File | None,
        val_share: Share,
        test_share: Share,
        encoding: str,
        separator: Literal["auto", "comma", "semicolon", "tab", "pipe"],
        limit: Count | None,
        limit_eval: Count | None,
        split_seed: Seed | None,
        folds: Folds | None,
        fold: Whole | None,
        min_steps: Count,
        batch_size: BatchSize | None,
        eval_batch_size: Count,
    ) -> None:
        super().__init__(seed, batch_size or USUAL_BATCH, eval_batch_size)
        self.chooses_batch = batch_size is None
        paths: dict[Split, str | None] = {"train": path, "val": val_path, "test": test_path}
        self.paths = {split: local.expand(own) for split, own in paths.items() if own is not None}
        self.target_names = [target] if isinstance(target, str) else target
        self.target_separator = target_separator
        self.kind = kind
        self.numeric, self.categorical, self.ignore = numeric, categorical, ignore
        self.finds_thousands, self.thousands = thousands is None, thousands
        self.scaling: Literal["standard", "quantile"] = scaling
        self.group, self.time = group, time
        check_table_roles(self.target_names, numeric, categorical, ignore, group, time, folds)
        check_target(self.target_names, "data.target", kind, target_separator)
        self.shares = shares_of(folds, fold, val_share, test_share)
        self.encoding, self.separator = encoding, separator
        self.limits = limits(limit, limit_eval)
        self.split_seed = seed if split_seed is None else split_seed
        self.min_steps = min_steps
        self.source = path
        self.splits: dict[Split, pl.DataFrame] = {}
        self.found: list[Found] = []

    def prepare_data(self) -> None:
        """Reads, checks and splits the table.

        Raises:
            UserError: it cannot be read, or has too few rows, classes or columns to train on.
        """
        if self.splits:
            return
        frames = {split: self._read(split, path) for split, path in self.paths.items()}
        numeric = self._is_numeric(frames)
        frames = {split: self._with_targets(frame, numeric, self.paths[split]) for split, frame in frames.items()}
        self.splits = self._split(frames, numeric)
        if self.chooses_batch:
            self.batch_size = batch_size_for(self.sizes["train"])
        target = self._target(frames, numeric)
        self.spec = Spec(self.choice, self._columns(frames["train"]), target)

    def _target(self, frames: dict[Split, pl.DataFrame], numeric: bool) -> Classes | Labels | Values:
        """What is predicted, with the facts of the training rows; names are those of all rows, whatever the limit."""
        train = self.splits["train"]
        if numeric:
            return make_values(self.target_names, self._numbers(train))
        (target,) = self.target_names
        if self.target_separator is not None:
            samples = [own for frame in frames.values() for own in self._marked(frame)]
            return make_labels(samples, f"data.target={target}", self.target_separator)
        names = {name for frame in frames.values() for name in as_names(frame[target]).unique()}
        return make_classes(sort_names(names), as_names(train[target]).unique().to_list(), f"data.target={target}")

    def _columns(self, whole: pl.DataFrame) -> Columns:
        """What the network receives.

        Raises:
            UserError: no column is left.
        """
        used = [name for name in whole.columns if name not in (*self.target_names, self.group)]
        self.found = discover(
            self.splits["train"].select(used),
            whole.select(used),
            numeric=self.numeric,
            categorical=self.categorical,
            ignored=self.ignore,
            scaling=self.scaling,
        )
        columns = as_columns(self.found, self.thousands or ())
        if not columns.by_name():
            kinds = list_some([f"{each.name} ({each.kind})" for each in self.found])
            raise UserError(
                f"{self.source}: no column is left to predict from{kinds and f': {kinds}'}. data.numeric and "
                "data.categorical take columns in that were left out."
            )
        return columns

    @property
    def sizes(self) -> dict[Split, int]:
        return {split: frame.height for split, frame in self.splits.items()}

    @property
    def notes(self) -> list[str]:
        if not self.chooses_batch or self.batch_size == USUAL_BATCH:
            return []
        return [f"batches  of {self.batch_size} rows, so that an epoch has {self.num_batches:,} steps"]

    @property
    def chosen(self) -> Section:
        found: Section = {"batch_size": self.batch_size} if self.chooses_batch else {}
        if self.finds_thousands:
            used = [*self.target_names, self.time, *(each.name for each in self.found if each.column is not None)]
            found["thousands"] = [name for name in dict.fromkeys(used) if name in (self.thousands or ())]
        return found

    @property
    def passes(self) -> int:
        """So many that an epoch has `min_steps` steps: one, for all but small tables."""
        return math.ceil(self.min_steps * self.batch_size / self.sizes["train"])

    @property
    def facts(self) -> Section:
        """Also, of each column what it is and what became of it."""
        return {**super().facts, "columns": {name: f"{kind}: {use}" for name, kind, use in self.columns}}

    @property
    def columns(self) -> list[tuple[str, str, str]]:
        return [(each.name, each.kind, each.use) for each in self.found]

    def counts(self, split: Split) -> Tensor:
        """Rows of each class or label, int64 (classes or labels,)."""
        return count_classes(self.targets(split), self.spec)

    @cached_property  # every checkpoint stores them
    def seen(self) -> Tensor:
        """Fingerprints of the training and validation rows, int64, for `leave_out`."""
        prints = self._fingerprints()
        return torch.cat([prints["train"], prints["val"]]).unique()

    def leave_out(self, seen: Tensor) -> None:
        """Drops test rows that are among `seen`: a network was trained or selected on those."""
        was_seen = torch.isin(self._fingerprints()["test"], seen)
        fresh = select_unseen(was_seen.tolist(), "rows")
        if len(fresh) < self.sizes["test"]:
            self.splits["test"] = self.splits["test"][fresh]
            self._words["test"] = self._words["test"][fresh]

    def setup(self, stage: str | None = None) -> None:
        """Checks that the table has what the network takes."""
        assert isinstance(self.spec.input, Columns)
        for split, frame in self.splits.items():
            check_columns(frame.columns, self.spec.input, str(self.paths.get(split, self.paths["train"])))

    def _loader(self, split: Split) -> BatchLoader:
        assert self.trainer is not None
        assert isinstance(self.spec.input, Columns)
        device = self.trainer.strategy.root_device
        inputs, targets = encode(self.splits[split], self.spec.input), self._scaled_targets(split)
        return BatchLoader(placed(inputs, device), placed_targets(targets, device), as_stored, self._batching(split))

    def _read(self, split: Split, path: Path) -> pl.DataFrame:
        named = [*self.target_names, *self.numeric, *self.categorical, *self.ignore, self.group, self.time]
        named += self.thousands or ()
        wanted = [name for name in named if name is not None]
        texts = self.target_names if self.target_separator is not None else []  # 1,2 may be two labels
        how = {"encoding": self.encoding, "separator": self.separator}
        frame, thousands = read_table(
            path, wanted, **how, texts=texts, codes=self.categorical, thousands=self.thousands
        )
        _table.require(wanted, frame.columns, path)
        if self.thousands is None:  # the other splits are read as that of the training, which is the first
            self.thousands = sorted(thousands)
        self.sha256[path.name if len(self.paths) == 1 else f"{split}: {path.name}"] = sha256_of(path)
        return frame

    def _is_numeric(self, frames: dict[Split, pl.DataFrame]) -> bool:
        """Whether the target is values, not classes or labels.

        Raises:
            UserError: it is none of them.
        """
        if self.kind == "auto" and date_format(frames["train"][self.target_names[0]]) is not None:
            raise UserError(
                f"data.target={self.target_names[0]} has dates, which are neither classes nor numbers. Set data.target "
                "to the column to predict, or data.kind=classes if each date is a class."
            )
        if self.target_separator is not None:
            return False
        if len(self.target_names) > 1:
            return True
        cells = pl.concat([as_names(frame[self.target_names[0]]) for frame in frames.values()]).drop_nulls()
        counts = cells.value_counts()
        refuse_lists(counts.to_series(0), f"data.target={self.target_names[0]}")
        of = dict(zip(counts.to_series(0).to_list(), counts["count"].to_list(), strict=True))
        return is_numeric("data.target", self.target_names[0], self.kind, of)

    def _with_targets(self, frame: pl.DataFrame, numeric: bool, path: Path) -> pl.DataFrame:
        """The rows that have a target, and a time where one is asked for.

        Raises:
            UserError: most have none.
        """
        has = np.ones(frame.height, dtype=np.bool_)
        for name in self.target_names if self.target_separator is None else []:
            column = frame[name]
            own = ~np.isnan(as_numbers(column)) if numeric else column.is_not_null().to_numpy()
            wrong = column.filter(pl.Series(~own)).drop_nulls().cast(pl.String)
            such = f", but text such as {wrong[0]!r}" if len(wrong) else ""
            self._check_dropped(path, f"no {'number' if numeric else 'value'} in {name}{such}", own)
            has &= own
        if self.time is not None:
            own = ~np.isnan(self._times(frame))
            self._check_dropped(path, f"no date or number in data.time={self.time}", own)
            has &= own
        return frame.filter(pl.Series(has)) if not has.all() else frame

    def _check_dropped(self, path: Path, what: str, kept: NDArray[np.bool_]) -> None:
        num_dropped = int((~kept).sum())
        if not num_dropped:
            return
        message = f"{path}: {num_dropped:,} of {len(kept):,} rows have {what}."
        if num_dropped > MOST_DROPPED * len(kept):
            raise UserError(f"{message} That is more than half.")
        log.warning("%s They are skipped.", message)

    def _times(self, frame: pl.DataFrame, warns: bool = False) -> NDArray[np.float64]:
        assert self.time is not None
        column = frame[self.time]
        form = date_format(column, warns)
        return as_numbers(column) if form is None else as_days(column, form)

    def _split(self, frames: dict[Split, pl.DataFrame], numeric: bool) -> dict[Split, pl.DataFrame]:
        whole = frames["train"]
        val, test = self.shares.wanted(self.paths)
        if self.time is not None and not isinstance(val, Fold):
            rows = self._rows_by_time(whole, val, test)
        else:
            rows = self._rows_at_random(whole, val, test, numeric)
        if self.time and (limit := self.limits["train"]) and limit < len(rows["train"]):
            log.warning(
                "data.limit=%d: trained on the last %d of %d rows by %s, those next to the validation split.",
                *(limit, limit, len(rows["train"]), self.time),
            )
            rows["train"] = rows["train"][-limit:]
        splits = {**frames, **{split: whole[own[: self.limits[split]]] for split, own in rows.items()}}
        for split in set(frames) - {"train"}:
            splits[split] = splits[split][some_of(splits[split].height, self.limits[split], self.split_seed)]
        if empty := [split for split in SPLITS if not splits[split].height]:
            raise UserError(
                f"{self.source}: no row is left for {' and '.join(empty)}. There are too few rows, or too few groups "
                "(rows with the same data.group, or of the same time, are in the same split)."
            )
        return splits

    def _rows_by_time(
        self, whole: pl.DataFrame, val: float | None, test: float | None
    ) -> dict[Split, NDArray[np.int64]]:
        times = self._times(whole, warns=self.time in self.ignore)  # of others `discover` warns
        order = times.argsort(kind="stable")
        num_test, num_val = (round((share or 0) * len(order)) for share in (test, val))
        parts = zip(SPLITS, np.split(order, time_bounds(times[order], num_val, num_test)), strict=True)
        kept = {split: own for split, own in parts if split not in self.paths or split == "train"}
        for split in set(kept) - {"train"}:
            kept[split] = kept[split][some_of(len(kept[split]), self.limits[split], self.split_seed)]
        return kept

    def _rows_at_random(
        self, whole: pl.DataFrame, val: Fold | float | None, test: float | None, numeric: bool
    ) -> dict[Split, NDArray[np.int64]]:
        groups = np.arange(whole.height)
        if self.group:
            groups = _codes(whole[self.group], alone=True)
        strata = np.zeros(whole.height, dtype=np.int64)
        if self.target_separator is not None:
            strata = np.unique(rarest(self._marked(whole)), return_inverse=True)[1]
        elif not numeric:
            strata = _codes(whole[self.target_names[0]])
        return split_rows(groups, strata, val=val, test=test, seed=self.split_seed)

    def _scaled_targets(self, split: Split) -> Tensor:
        """Class numbers, int64 (rows,); labels, uint8 (rows, labels); or scaled values, float32 (rows, values)."""
        targets, target = self.targets(split), self.spec.target
        return scaled(targets, target) if isinstance(target, Values) else targets

    def targets(self, split: Split) -> Tensor:
        frame, target = self.splits[split], self.spec.target
        if isinstance(target, Values):
            return self._numbers(frame)
        if isinstance(target, Labels):
            return multi_hot(self._marked(frame), target, self.choice)
        names = as_names(frame[self.target_names[0]])
        number = {name: i for i, name in enumerate(target.names)}
        if unknown := sorted(set(names.unique()) - set(number)):
            named = list_some(unknown)
            raise UserError(f"data={self.choice} has classes that the network was not trained on: {named}.")
        return torch.from_numpy(names.replace_strict(number, return_dtype=pl.Int64).to_numpy().copy())

    @property
    def most_flat(self) -> int:
        return MOST_NUMBERS // self._flat_width

    def flat_inputs(self, split: Split, rows: Tensor) -> NDArray[np.float32]:
        """Numbers, and a one among zeros for each category; a category of many values stays a number."""
        assert isinstance(self.spec.input, Columns)
        encoded = encode(self.splits[split][rows.numpy()], self.spec.input).numpy()
        numbers, codes = np.split(encoded, [self.spec.input.num_numbers], axis=1)
        parts = [numbers]
        for i, category in enumerate(self.spec.input.categories):
            known = len(category.values)
            own = codes[:, i : i + 1]
            parts.append(own == np.arange(1, known + 1) if known <= MOST_ONES else own / known)
        return np.concatenate(parts, axis=1, dtype=np.float32)

    def sample(self, split: Split, number: int) -> Sample:
        assert isinstance(self.spec.input, Columns)
        names = list(self.spec.input.by_name())[:MOST_CELLS]
        row = self.splits[split].select(names).row(number)
        return Sample(cells=tuple((name, _shown(cell)) for name, cell in zip(names, row, strict=True)))

    @property
    def _flat_width(self) -> int:
        assert isinstance(self.spec.input, Columns)
        ones = (len(category.values) for category in self.spec.input.categories)
        return self.spec.input.num_numbers + sum(known if known <= MOST_ONES else 1 for known in ones)

    def _marked(self, frame: pl.DataFrame) -> list[Marked]:
        """The labels of each row."""
        assert self.target_separator is not None
        names = as_names(frame[self.target_names[0]])
        labels = {name: split_cell(name, self.target_separator) for name in names.unique()}
        return [labels[name] for name in names]

    def _numbers(self, frame: pl.DataFrame) -> Tensor:
        """The targets in their own units, float64 (rows, values)."""
        return torch.from_numpy(np.stack([as_numbers(frame[name]) for name in self.target_names], axis=1))

    def _fingerprints(self) -> dict[Split, Tensor]:
        """Of each row of what the network takes and predicts; equal rows are counted, and told apart."""
        return dict(zip(SPLITS, row_fingerprints([self._words[split] for split in SPLITS]), strict=True))

    @cached_property
    def _words(self) -> dict[Split, NDArray[np.uint64]]:
        """Of each row, one number for what the network takes and predicts."""
        assert isinstance(self.spec.input, Columns)
        columns = sorted(self.spec.input.by_name().items())
        numeric = isinstance(self.spec.target, Values)
        words = {}
        for split, frame in self.splits.items():
            answers = [as_numbers(frame[name]) if numeric else as_names(frame[name]) for name in self.target_names]
            words[split] = row_words([*(values_of(frame[name], column) for name, column in columns), *answers])
        return words

    @property
    def concerns(self) -> list[str]:
        """Also, which columns give the target away, and how many rows are in two splits."""
        leaking = [sentence for name, columns in self.leaks.items() for sentence in of_leaks(name, columns)]
        return super().concerns + leaking + of_equal_rows(self.repeated, self.sizes)

    @cached_property
    def leaks(self) -> dict[str, list[str]]:
        train, numeric, leaks = self.splits["train"], isinstance(self.spec.target, Values), {}
        for i, name in enumerate(self.target_names):
            targets = self.targets("train")[:, [i]] if numeric else self._classes_of_training()
            leaks[name] = list({leak: None for own in targets.T.numpy() for leak in find_leaks(train, self.found, own)})
        return leaks

    @property
    def repeated(self) -> dict[Split, int]:
        return num_repeated(self._words)

    def _classes_of_training(self) -> Tensor:
        """The classes, int64 (rows, 1), or of each of the most frequent labels whether a row has it, (rows, labels)."""
        targets = self.targets("train").to(torch.int64)
        if targets.ndim == 1:
            return targets[:, None]
        return targets[:, targets.sum(dim=0).argsort(descending=True)[:MOST_LABELS]]


def _codes(column: pl.Series, alone: bool = False) -> NDArray[np.int64]:
    """A number for each value of a column; with `alone`, one for each missing value, too."""
    codes = as_names(column).fill_null("").rank("dense").to_numpy().astype(np.int64)
    if alone:
        absent = column.is_null().to_numpy()
        codes[absent] = codes.max() + 1 + np.arange(absent.sum())
    return codes


def _shown(cell: object) -> str | float:
    """A cell as a sample shows it: numbers as they are, a missing one as nothing."""
    return cell if isinstance(cell, float) else "" if cell is None else str(cell)
