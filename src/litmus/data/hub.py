"""Datasets of the Hugging Face hub: texts, images and tables."""

import functools
from dataclasses import asdict, replace
from typing import Any, ClassVar, Literal

from litmus.config.instantiate import defaults, settings
from litmus.config.instantiate import target as class_of
from litmus.config.types import (
    Augment,
    BatchSize,
    Chance,
    Column,
    ColumnNames,
    Count,
    Folds,
    HubName,
    Section,
    Seed,
    Share,
    Targets,
    Whole,
)
from litmus.config.validate import checked
from litmus.data._base import Data
from litmus.data._folds import fold_of
from litmus.data._hub_choice import asked_in
from litmus.data._hub_copy import IMAGES, Copy, check_keys
from litmus.data._hub_fetch import copy_of
from litmus.data._target_columns import TargetColumns
from litmus.fetch import local
from litmus.spec import Classes, Columns, Images, Input, Labels, Target, Tokens, Values

SEPARATOR = "|"  # of labels in a cell; the copy has lists of them
# Keys that mean what they do there.
SAME = [
    *("val_share", "test_share", "group", "numeric", "categorical", "ignore", "size", "colours", "augment", "flip"),
    *("limit", "limit_eval", "split_seed", "folds", "fold", "batch_size", "eval_batch_size"),
]


class Hub(Data):
    """A dataset of the hub, by its name there; Litmus reads a copy, which is made once for all runs.

    What it is, is found by its columns: images, texts, or a table. From `prepare_data` on it is what
    `data=image_folder`, `data=text_table` or `data=table` makes of such files. Splits are the dataset's own; a missing
    one is taken from the training samples. Splits and samples without targets are left out, with a warning.

    The copy needs no network. It is made of files in `dir`, or with one. A dataset's own program is never run.
    """

    choice: ClassVar[str] = "hub"
    input_kinds: ClassVar[tuple[type[Input], ...]] = (Tokens, Images, Columns)
    target_kinds: ClassVar[tuple[type[Target], ...]] = (Classes, Labels, Values)

    @checked
    def __init__(
        self,
        seed: Seed,
        *,
        name: HubName,
        config: str | None,
        revision: str | None,
        dir: str | None,
        form: Literal["auto", "texts", "images", "table"],
        text: Column | None,
        image: Column | None,
        target: Targets | None,
        kind: Literal["auto", "classes", "numbers"],
        train_split: str | None,
        val_split: str | None,
        test_split: str | None,
        val_share: Share,
        test_share: Share,
        group: Column | None,
        numeric: ColumnNames,
        categorical: ColumnNames,
        ignore: ColumnNames,
        size: Count | None,
        colours: Literal["rgb", "grey"] | None,
        limit: Count | None,
        limit_eval: Count | None,
        split_seed: Seed | None,
        folds: Folds | None,
        fold: Whole | None,
        batch_size: BatchSize | None,
        eval_batch_size: Count | None,
        augment: Augment,
        flip: Chance | None,
    ) -> None:
        given = {key: value for key, value in locals().items() if key not in ("self", "seed", "__class__")}
        super().__init__(seed, batch_size or 1, eval_batch_size or 1)
        fold_of(folds, fold)
        self.given: Section = given
        self.copy: Copy | None = None

    def prepare_data(self) -> None:
        """Finds or makes the copy, and reads it.

        Raises:
            UserError: the dataset cannot be had, or something has to be said about it; or as of the kind of data.
        """
        if self.copy is None:
            self.copy = copy_of(asked_in(self.given), local.cache_folder(self.given["dir"]))
            self._become(self.copy)
        super().prepare_data()

    @property
    def chosen(self) -> Section:
        """Also, what the dataset decided: the same revision and columns, whenever the run is resumed."""
        assert self.copy is not None
        found = {key: value for key, value in asdict(self.copy.choice).items() if value is not None}
        sizes = {"batch_size": self.batch_size, "eval_batch_size": self.eval_batch_size}
        own = {key: value for key, value in super().chosen.items() if key in self.given}
        return {**own, **found, **{key: own for key, own in sizes.items() if self.given[key] is None}}

    def _become(self, copy: Copy) -> None:
        """Makes this the kind of data that the copy is of; what is defined here still comes first."""
        check_keys(self.given, copy)
        name, own = _settings(self.given, copy)
        section = defaults("data", name)
        if "dir" in section:
            own["dir"] = self.given["dir"]
        kind: Any = class_of(section)  # imported now: tables need a package of their own
        same = {key: self.given[key] for key in SAME if key in section and self.given[key] is not None}
        self.__class__ = _with_hub_first(kind)
        kind.__init__(self, self.seed, **settings({**section, **same, **own}))
        if isinstance(kind_labels := getattr(self, "labels", None), TargetColumns):
            self.labels = replace(kind_labels, key="data.target")
        self.source = f"hub: {copy.choice}"


def _settings(given: Section, copy: Copy) -> tuple[str, Section]:
    """The dataset that reads files such as the copy's, and its settings that say what these are."""
    choice = copy.choice
    if choice.form == "images":
        return "image_folder", {"path": str(copy.folder / IMAGES)}
    kind = "classes" if copy.has_classes and given["kind"] == "auto" else given["kind"]
    rows: Section = {"kind": kind, "target_separator": SEPARATOR if copy.has_labels else None}
    rows |= {"path": copy.path("train"), "val_path": copy.path("val"), "test_path": copy.path("test")}
    if choice.form == "table":
        return "table", {**rows, "target": choice.target}
    return "text_table", {**rows, "text": choice.text, "label": choice.target}


@functools.cache
def _with_hub_first(kind: type[Data]) -> Any:
    return type(Hub.__name__, (Hub, kind), {"__module__": __name__, "__doc__": kind.__doc__})
