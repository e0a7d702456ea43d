"""What the files of each dataset show before torch is imported: functions by the dataset's name, see config/preflight.

Settings are the section of the configuration. Each raises a UserError.
"""

import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from litmus.config.machine import available_memory
from litmus.config.types import MIXING, Section
from litmus.data import _hub_copy, _table
from litmus.data._description import read_description
from litmus.data._folds import check_splits, fold_of
from litmus.data._hub_choice import asked_in
from litmus.errors import UserError
from litmus.fetch import local
from litmus.spec import IS_MISSING, Classes, Labels

NAMED_HERE = r"_\d+$"  # see `_table.header`
# Folders in which torchvision keeps the files of published images, by the names of these here.
TORCHVISION = {
    "mnist": "MNIST/raw",
    "fashion_mnist": "FashionMNIST/raw",
    "kmnist": "KMNIST/raw",
    "cifar10": "cifar-10-batches-py",
}
SPLIT_FOLDERS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test", "testing")}


def text_table(settings: Section) -> None:
    """The tables are there, and have the columns."""
    labels = [settings["label"]] if isinstance(settings["label"], str) else settings["label"]
    check_target(labels, "data.label", settings["kind"], settings["target_separator"])
    columns = [settings["text"], *labels, *([settings["group"]] if settings["group"] is not None else [])]
    paths = {key: settings[key] for key in ("path", "val_path", "test_path") if settings[key] is not None}
    check_splits(settings, [split for split in ("val", "test") if f"{split}_path" in paths])
    for path in map(local.expand, paths.values()):
        _check_any_table(path, columns, settings)


def table(settings: Section) -> None:
    """The tables are there, and have the columns that are named; no column has two roles."""
    if importlib.util.find_spec("polars") is None:
        raise UserError("data=table requires the package polars: pip install 'litmus[table]'.")
    targets = [settings["target"]] if isinstance(settings["target"], str) else settings["target"]
    numeric, categorical, ignore = (settings[key] for key in ("numeric", "categorical", "ignore"))
    group, time = settings["group"], settings["time"]
    check_table_roles(targets, numeric, categorical, ignore, group, time, settings["folds"])
    check_target(targets, "data.target", settings["kind"], settings["target_separator"])
    named = [*targets, *numeric, *categorical, *ignore, *(settings["thousands"] or ()), group, time]
    # Not those that are called so for want of a name of their own: only who reads the whole header knows them.
    columns = [name for name in dict.fromkeys(named) if name is not None and not re.search(NAMED_HERE, name)]
    paths = {key: settings[key] for key in ("path", "val_path", "test_path") if settings[key] is not None}
    check_splits(settings, [split for split in ("val", "test") if f"{split}_path" in paths])
    for path in map(local.expand, paths.values()):
        _check_any_table(path, columns, settings)


def _check_any_table(path: Path, columns: Sequence[str], settings: Section) -> None:
    """Checks what a table shows of itself without being read whole, of any format."""
    if _table.is_read_whole(path):
        _table.check_columns(path, columns)
    else:
        _check_table(path, columns, encoding=settings["encoding"], separator=settings["separator"])


def toy(settings: Section) -> None:
    """The shares are possible, and the package is there that holds the table."""
    if importlib.util.find_spec("polars") is None:
        raise UserError("data=toy requires the package polars: pip install 'litmus[table]'.")
    check_splits(settings, ())


def check_table_roles(
    targets: Sequence[str],
    numeric: Sequence[str],
    categorical: Sequence[str],
    ignore: Sequence[str],
    group: str | None,
    time: str | None,
    folds: int | None,
) -> None:
    """Checks that no column of a table has two roles that exclude each other."""
    if not targets:
        raise UserError("data.target=[] names no column to predict.")
    if group is not None and time is not None:
        raise UserError("data.group and data.time are two ways to split: set one of them.")
    if folds is not None and time is not None:
        raise UserError(f"data.folds={folds} validates on rows at random, and data.time on the last: set one of them.")
    roles = {"data.target": targets, "data.numeric": numeric, "data.categorical": categorical, "data.ignore": ignore}
    _check_roles({**roles, "data.group": [group]})


def _check_roles(roles: Mapping[str, Sequence[str | None]]) -> None:
    """Checks that each column is named once; roles by the key that names them."""
    taken: dict[str, str] = {}
    for key, names in roles.items():
        for name in filter(None, names):
            if name in taken:
                raise UserError(f"{taken[name]} and {key} both name {name}. Leave it in one of them.")
            taken[name] = key


def check_target(names: Sequence[str], key: str, kind: str, separator: str | None) -> None:
    """Checks that what is said of the columns to predict fits together.

    Args:
        names: of the columns.
        key: that names them: `data.target`.
        kind: as requested.
        separator: of the labels in a cell.
    """
    if not names:
        raise UserError(f"{key}=[] names no column to predict.")
    if separator is not None:
        if not separator.strip():
            raise UserError("data.target_separator should be a character that stands between labels, such as '|'.")
        if len(names) > 1 or kind == "numbers":
            problem = f"{key} has {len(names)} columns" if len(names) > 1 else "data.kind=numbers"
            raise UserError(f"data.target_separator={separator} is for one column of labels, but {problem}.")
    elif len(names) > 1 and kind == "classes":
        raise UserError(f"data.kind=classes allows one {key}. Several have to be numbers.")


def check_batch_fits(settings: Section) -> None:
    """A batch of images, of three colors in float32, is smaller than the memory that is there.

    Raises:
        UserError: it is not, so the first batch would end the process.
    """
    size, available = settings["size"] or 0, available_memory()  # the network decides, where there is none
    batch_size = settings["batch_size"] if settings["batch_size"] != "auto" else 1
    needed = 3 * 4 * size**2 * batch_size
    if needed > available:
        raise UserError(
            f"data.size={size} with data.batch_size={settings['batch_size']} is too large for this machine: a batch "
            f"takes {needed / 1e9:,.1f} GB, and {available / 1e9:,.1f} GB of memory are available."
        )


def series(settings: Section) -> None:
    """The table is there, and has the columns; no column has two roles."""
    check_splits(settings, ())
    roles = [settings[key] for key in ("column", "time", "group", "inputs", "known")]
    check_series_roles(*roles)
    if settings["path"] is None:
        return
    path, columns = local.expand(settings["path"]), [*filter(None, roles[:3]), *roles[3], *roles[4]]
    named = [*columns, *(settings["thousands"] or ())]
    if _table.is_read_whole(path):
        _table.check_columns(path, named)
        return
    beginning = _check_table(path, named, encoding=settings["encoding"], separator=settings["separator"])
    if beginning.rows and not columns:
        _table.only_numeric(beginning)


def check_series_roles(
    column: str | None, time: str | None, group: str | None, inputs: Sequence[str], known: Sequence[str]
) -> None:
    """Checks that no column of a series has two roles, or the name of an indicator."""
    given = {"data.column": [column], "data.time": [time], "data.group": [group]}
    for name in (column, *inputs, *known):
        if name is not None and name.endswith(IS_MISSING):
            raise UserError(f"The column {name} is called as litmus calls an indicator. Rename it in the file.")
    _check_roles({**given, "data.inputs": inputs, "data.known": known})


def image_folder(settings: Section) -> None:
    """There is a folder that can be read, or a table with the columns; the shares and a batch are possible."""
    check_batch_fits(settings)
    path = local.expand(settings["path"])
    if photos_are_in_table(path):
        labels = [settings["label"]] if isinstance(settings["label"], str) else settings["label"]
        check_target(labels, "data.label", settings["kind"], settings["target_separator"])
        if settings["kind"] == "numbers" or len(labels) > 1:
            check_mixing(settings["augment"], "numbers")
        elif settings["target_separator"] is not None:
            check_mixing(settings["augment"], Labels.noun)
        _check_table(path, [settings["image"], *labels], encoding="auto", separator="auto")
        given: dict[str, Path] = {}
    else:
        if settings["target_separator"] is not None or settings["kind"] == "numbers":
            key = "kind=numbers" if settings["kind"] == "numbers" else "target_separator"
            raise UserError(f"data.{key} needs a table of images and labels: a folder of images is a class.")
        given, _ = split_folders(path)
    check_splits(settings, given)


def hub(settings: Section) -> None:
    """There is a copy of the dataset that has what is asked for; else it can be had, and what reads it is there."""
    asked, cache = asked_in(settings), local.cache_folder(settings["dir"])
    _hub_copy.check_name(asked.name)
    check_splits(settings, ())
    copy = _hub_copy.find(_hub_copy.located(asked, cache)[0], cache)
    if copy is None:
        _hub_copy.check_obtainable(asked, cache)
        return
    _hub_copy.check_keys(settings, copy)
    check_splits(settings, copy.splits)
    if copy.choice.form == "table" and importlib.util.find_spec("polars") is None:
        raise UserError("A table of the hub requires the package polars: pip install 'litmus[table]'.")
    if copy.choice.form == "images" and settings["batch_size"] is not None:
        check_batch_fits(settings)


def check_mixing(augment: str, noun: str) -> None:
    """Checks that two images may be mixed: the targets are classes.

    Args:
        augment: as requested.
        noun: of the targets.
    """
    if augment in MIXING and noun != Classes.noun:
        raise UserError(
            f"data.augment={augment} mixes images of classes, but these have {noun}. data.augment=trivialaugment "
            "takes any."
        )


def yolo_dataset(settings: Section) -> None:
    """The YAML file is right, what it names is there, and a batch of images fits into memory."""
    check_batch_fits(settings)
    description = read_description(local.expand(settings["path"]))
    check_splits(settings, description.entries)


def _published(name: str) -> Callable[[Section], None]:
    """What checks the keys of published samples: there is such a fold, and a folder if they come from nowhere else."""

    def check(settings: Section) -> None:
        fold_of(settings["folds"], settings["fold"])
        _check_on_disk(settings, name)

    return check


mnist, fashion_mnist = _published("mnist"), _published("fashion_mnist")
kmnist, cifar10, sentiment = _published("kmnist"), _published("cifar10"), _published("sentiment")


def mnist_boxes(settings: Section) -> None:
    """As of `mnist`; the sizes of the digits fit into a scene, and a batch of scenes into memory."""
    check_batch_fits(settings)
    check_digit_sizes(settings["min_size"], settings["max_size"], settings["size"])
    _check_on_disk(settings, "mnist")


def _check_table(path: Path, columns: Sequence[str], *, encoding: str, separator: str) -> _table.Table:
    """As `_table.check`; the table has rows, too."""
    beginning = _table.check(path, columns, encoding=encoding, separator=separator)
    if not (beginning.rows or beginning.problems or path.suffix.lower() == _table.PARQUET):
        raise UserError(f"{path} has no rows.")
    return beginning


def split_folders(path: Path) -> tuple[dict[str, Path], list[Path]]:
    """The folders in a folder of photos that are its splits, and the others; no splits, where all are classes.

    Raises:
        UserError: two are the same split, or none is to train on.
    """
    split_of = {name: split for split, names in SPLIT_FOLDERS.items() for name in names}
    folders: dict[str, Path] = {}
    others = []
    for below in sorted(each for each in path.iterdir() if each.is_dir() and not local.is_hidden(each)):
        split = split_of.get(below.name.lower())
        if split is None:
            others.append(below)
        elif split in folders:
            raise UserError(f"{folders[split]} and {below} are both folders for {split}: rename or remove one.")
        else:
            folders[split] = below
    if not folders or (others and len(folders) == 1):  # a class may be named train, among others
        return {}, [*folders.values(), *others]
    if "train" not in folders:
        has = " and ".join(f"{each.name}/" for each in folders.values())
        raise UserError(f"data.path={path} has {has}, but no folder train/ to train on.")
    return folders, others


def photos_are_in_table(path: Path) -> bool:
    """Whether `data.path` is a table of photos; else it is a folder."""
    kind = local.kind_of(path)
    if kind == "file":
        return True
    if kind != "folder":
        what = "does not exist" if kind == "missing" else "is a pipe or a device"
        raise UserError(f"data.path={path} {what}. It should be a folder of images, or a table of paths and labels.")
    local.check_folder(path)
    return False


def check_digit_sizes(smallest: int, largest: int, scene: int) -> None:
    """Checks that the digits' sizes are in order, and fit into a scene."""
    if not smallest <= largest <= scene:
        raise UserError(
            f"data.min_size={smallest} must be at most data.max_size={largest}, and that at most data.size={scene}."
        )


def published_folder(dir: str | None, name: str) -> Path:
    """Where the files of published data are: in a folder of that name, or in torchvision's, if only that is there."""
    folder, other = (local.cache_folder(dir) / each for each in (name, TORCHVISION.get(name, name)))
    return other if local.kind_of(folder) == "missing" and local.kind_of(other) == "folder" else folder


def _check_on_disk(settings: Section, name: str) -> None:
    folder = published_folder(settings["dir"], name)
    if settings["source"] == "disk" and local.kind_of(folder) != "folder":
        raise UserError(f"data.source=disk, but there is no folder {folder}. data.dir says where to look for {name}.")
