"""What a dataset of the Hugging Face hub is read as: its form, columns and splits, asked for or found."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from litmus.config.protocols import SPLITS, Split
from litmus.config.types import Section
from litmus.config.validate import did_you_mean
from litmus.errors import UserError

Form = Literal["texts", "images", "table"]
# Of a column: one class, several of them, text, a number, yes or no, a date, an image; or what nothing here reads.
Kind = Literal["class", "classes", "text", "number", "bool", "date", "image", "other"]

USUAL_CONFIG = "default"  # the hub's name of a configuration that need not be named
FILES = "files-"  # begins the revision of a folder of the user's
FIXED = rf"[0-9a-f]{{40}}|{FILES}[0-9a-f]{{12}}"  # revisions that stay what they are, unlike a branch's
# What the hub's datasets call their splits, the usual names first.
SPLIT_NAMES: Mapping[Split, Sequence[str]] = {
    "train": ("train", "training"),
    "val": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
NO_SPLIT = "none"  # asks for a validation or test split out of the training samples, whatever the dataset has
MOST_NUMBERS = 1  # columns of numbers beside texts: more of them are a table's


@dataclass(frozen=True)
class Choice:
    """What a copy is of: the keys of `data=hub` that decide it. None is what nobody asked for, or what there is not."""

    name: str
    config: str | None
    revision: str | None
    form: str | None
    text: str | None
    image: str | None
    target: str | list[str] | None
    train_split: str | None
    val_split: str | None
    test_split: str | None

    @property
    def targets(self) -> list[str]:
        """The columns to predict."""
        return [self.target] if isinstance(self.target, str) else self.target or []

    @property
    def splits(self) -> dict[Split, str]:
        """The dataset's own name of each split that it has."""
        named = zip(SPLITS, (self.train_split, self.val_split, self.test_split), strict=True)
        return {split: own for split, own in named if own is not None}

    @property
    def may_have_moved(self) -> bool:
        """Whether the revision may be another by now."""
        return self.revision is not None and not re.fullmatch(FIXED, self.revision)

    def __str__(self) -> str:
        config = f", {self.config}" if self.config not in (None, USUAL_CONFIG) else ""
        return f"{self.name}{config}" + (f", revision {self.revision}" if self.revision else "")


def asked_in(settings: Section) -> Choice:
    """What the section of `data` asks for."""
    given = {key: settings[key] for key in Choice.__dataclass_fields__}
    return Choice(**given | {"form": None if settings["form"] == "auto" else settings["form"]})


def choose(asked: Choice, columns: Mapping[str, Kind], splits: Sequence[str]) -> Choice:
    """What is asked for, with what nobody asked for found by the dataset.

    Args:
        asked: with config and revision as they are.
        columns: the kind of each.
        splits: the dataset's own names.

    Raises:
        UserError: the dataset has no such column or split; or something has to be said.
    """
    for key, names in (("text", [asked.text]), ("image", [asked.image]), ("target", asked.targets)):
        for name in filter(None, names):
            require(f"data.{key}", name, columns, f"{asked.name} has no column", listed(columns))
    target = asked.target or _target(asked, columns)
    form = _form(asked, target, columns)
    _check_targets([target] if isinstance(target, str) else target, form, asked, columns)
    text = asked.text or _only("text", "text", asked, target, columns) if form == "texts" else None
    image = asked.image or _only("image", "image", asked, target, columns) if form == "images" else None
    return Choice(
        **asdict(asked) | _splits(asked, splits) | {"form": form, "text": text, "image": image, "target": target}
    )


def require(key: str, name: str, names: Mapping[str, object] | Sequence[str], problem: str, listed: str) -> None:
    if name not in names:
        raise UserError(f"{key}={name}: {problem} {name}.{did_you_mean(name, [*names])} It has: {listed}.")


def listed(columns: Mapping[str, Kind]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in columns.items())


def _target(asked: Choice, columns: Mapping[str, Kind]) -> str:
    found = [name for name, kind in columns.items() if kind in ("class", "classes")]
    if len(found) == 1:
        return found[0]
    problem = f"has the classes {', '.join(found)}" if found else "names no column of classes"
    raise UserError(
        f"data.name={asked.name} {problem}: set data.target to the column to predict. It has: {listed(columns)}."
    )


def _check_targets(targets: Sequence[str], form: str, asked: Choice, columns: Mapping[str, Kind]) -> None:
    """Checks that such columns can be predicted."""
    kinds = [columns[name] for name in targets]
    problem = ""
    if wrong := next((kind for kind in kinds if kind in ("image", "date", "other")), None):
        problem = f"a column of {wrong}s cannot be predicted" if wrong != "other" else "it is of a type unknown here"
    elif len(kinds) > 1 and set(kinds) != {"number"}:
        problem = "several columns have to be numbers"
    elif form == "images" and (len(kinds) > 1 or kinds == ["classes"]):
        problem = "images have one class each"
    if problem:
        raise UserError(f"data.target={','.join(targets)}: {problem}. {asked.name} has: {listed(columns)}.")


def _form(asked: Choice, target: str | list[str], columns: Mapping[str, Kind]) -> str:
    """Images where there are any; texts where there is text and at most one number, such as an index; else a table."""
    if asked.form is not None:
        return asked.form
    targets = [target] if isinstance(target, str) else target
    kinds = [kind for name, kind in columns.items() if name not in targets]
    if asked.image is not None or (asked.text is None and "image" in kinds):
        return "images"
    measured = sum(kind in ("number", "bool", "date") for kind in kinds)
    return "texts" if asked.text or ("text" in kinds and measured <= MOST_NUMBERS) else "table"


def _only(key: str, kind: Kind, asked: Choice, target: str | list[str], columns: Mapping[str, Kind]) -> str:
    """The column of that kind beside the target: the only one, or the one that is called so."""
    targets = [target] if isinstance(target, str) else target
    found = [name for name, own in columns.items() if own == kind and name not in targets]
    if len(found) == 1 or key in found:
        return key if key in found else found[0]
    table = " data.form=table reads all columns." if kind == "text" and found else ""
    problem = f"has several columns of {kind}s" if found else f"has no column of {kind}s"
    raise UserError(
        f"data.name={asked.name} {problem}: set data.{key} to the one to read.{table} It has: {listed(columns)}."
    )


def _splits(asked: Choice, splits: Sequence[str]) -> dict[str, str | None]:
    """Each split's own name by its key; None for one that is to be taken from the training samples."""
    named = {split: name for split, name in asked.splits.items() if name != NO_SPLIT}
    if len(splits) == 1 and named in ({}, {"train": splits[0]}):  # whatever its name
        return {"train_split": splits[0], "val_split": None, "test_split": None}
    found: dict[str, str | None] = {}
    for split in SPLITS:
        key, name = f"{split}_split", asked.splits.get(split)
        if name == NO_SPLIT and split != "train":
            found[key] = None
            continue
        if name is not None:
            require(f"data.{key}", name, splits, f"{asked.name} has no split", ", ".join(splits))
        found[key] = name or next((own for own in SPLIT_NAMES[split] if own in splits), None)
    if found["train_split"] is None:
        raise UserError(
            f"data.name={asked.name} has no split train: set data.train_split. It has: {', '.join(splits)}."
        )
    used = [name for name in found.values() if name is not None]
    if twice := next((name for name in used if used.count(name) > 1), None):
        keys = " and ".join(f"data.{key}" for key, name in found.items() if name == twice)
        raise UserError(f"{keys} both name {twice}: training, validation and test must not share samples.")
    return found
