"""Getting datasets of the Hugging Face hub, by the hub's own library, and writing a copy as `_hub_copy` describes it.

The library is imported here alone. It runs no program of a dataset's any more (datasets 4 removed that), and nothing
here asks it to.
"""

import hashlib
import io
import json
import logging
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from litmus.config.protocols import Split
from litmus.config.validate import did_you_mean
from litmus.data import _hub_copy
from litmus.data._classes import list_some
from litmus.data._hub_choice import FILES, Choice, Kind, choose
from litmus.data._hub_copy import IMAGES, Copy
from litmus.data._targets import name_of
from litmus.errors import UserError, first_line
from litmus.fetch import local
from litmus.fetch.once import one_at_a_time

log = logging.getLogger(__name__)

Feature = Any  # the library's: it has no types
Splits = Mapping[str, Any]  # its Dataset by the name of each split
Cells = dict[str, Any]

AT_ONCE, FEW_AT_ONCE = 1000, 16  # rows that are read together, and images
LONGEST = 60  # letters of a folder's name
UNLABELED = -1  # what the hub's test splits have for a class that is not told
WRITING = ".writing-"
ABANDONED_S = 86_400  # after which what a killed process was writing is removed
NUMBERS = ("int", "uint", "float", "double", "decimal")
SAVED = ("dataset_dict.json", "state.json")  # what save_to_disk writes
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "PPM": ".ppm"}  # where Pillow's name is not the extension
UNSAFE = '/\\:*?"<>|\0'  # what a folder's name cannot have, on one system or another


def copy_of(asked: Choice, cache: Path) -> Copy:
    """The copy of a dataset; it is made if there is none.

    A revision that may have moved, such as a branch's, is looked up again where the hub can be reached.

    Raises:
        UserError: there is no such dataset, configuration, split or column, or no way to get it.
    """
    _hub_copy.check_name(asked.name)
    asked, folder = _hub_copy.located(asked, cache)
    looks_up = asked.may_have_moved and _hub_copy.can_ask()
    if not looks_up and (copy := _hub_copy.find(asked, cache)) is not None:
        return copy
    _hub_copy.check_obtainable(asked, cache)
    with one_at_a_time(cache / _hub_copy.COPIES / asked.name.replace("/", "--")):
        if not looks_up and (copy := _hub_copy.find(asked, cache)) is not None:  # another process has made it
            return copy
        return _fetched(asked, folder, cache)


def _fetched(asked: Choice, folder: Path | None, cache: Path) -> Copy:
    copies = cache / _hub_copy.COPIES
    try:
        copies.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(copies)
        with (
            tempfile.TemporaryDirectory(dir=copies, prefix=WRITING, ignore_cleanup_errors=True) as temporary,
            _library(asked) as datasets,
        ):
            if folder is not None and any((folder / name).is_file() for name in SAVED):
                loaded = datasets.load_from_disk(str(folder))
                splits: Splits = loaded if isinstance(loaded, dict) else {"train": loaded}
                exact = asked
            else:
                where = str(folder or asked.name)
                builder = _builder(datasets, asked, where, str(Path(temporary, "library")))
                exact = replace(asked, config=builder.config.name, revision=asked.revision if folder else builder.hash)
                if (copy := _hub_copy.find(exact, cache)) is not None:  # asked for in other words
                    return copy
                if builder.info.features and builder.info.splits:  # what is wrong is said before it is downloaded
                    choose(exact, kinds_of(builder.info.features), [*builder.info.splits])
                log.info("data.name=%s: reading %s", asked.name, folder or f"{exact} from the hub")
                builder.download_and_prepare()
                splits = builder.as_dataset()
            return _kept(asked, exact, splits, Path(temporary, "copy"), copies)
    except OSError as error:
        raise UserError(f"{error.filename or copies} cannot be written to: {local.reason(error)}.") from None


def _kept(asked: Choice, exact: Choice, splits: Splits, writing: Path, copies: Path) -> Copy:
    """A copy of these splits, in its place; `exact` is what is asked for, with the revision and configuration."""
    columns = kinds_of(next(iter(splits.values())).features)
    choice = choose(exact, columns, [*splits])
    copy = Copy(copies / _hub_copy.folder_name(choice), asked, choice, columns)
    writing.mkdir()
    copy = _written(copy, splits, writing)
    shutil.rmtree(copy.folder, ignore_errors=True)  # damaged, or asked for in other words
    writing.rename(copy.folder)
    for sentence in copy.left_out:
        log.warning("data.name=%s: %s.", choice.name, sentence)
    return copy


def _remove_abandoned(copies: Path) -> None:
    for path in copies.glob(f"{WRITING}*"):
        with suppress(OSError):  # another process has just removed it
            if time.time() - path.stat().st_mtime > ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)


def _builder(datasets: Any, asked: Choice, where: str, cache: str) -> Any:
    """What the library knows of the dataset before it is downloaded, and downloads it."""
    is_remote = asked.revision is not None and not asked.revision.startswith(FILES)
    revision = {"revision": asked.revision} if is_remote else {}
    try:
        return datasets.load_dataset_builder(where, asked.config, cache_dir=cache, **revision)
    except ValueError as error:
        names = datasets.get_dataset_config_names(where, **revision)
        if asked.config in names or (asked.config is None and len(names) == 1):
            raise
        hint = did_you_mean(asked.config, names) if asked.config else ""
        problem = f"has no configuration {asked.config}.{hint}" if asked.config else "has several configurations."
        raise UserError(f"data.name={asked.name} {problem} Set data.config to one of: {', '.join(names)}.") from error


@contextmanager
def _library(asked: Choice) -> Iterator[Any]:
    """The hub's library. What it raises becomes a sentence; it draws bars in a terminal only."""
    try:
        import datasets

        datasets.logging.set_verbosity_error()
        if not os.isatty(2):
            datasets.disable_progress_bars()
        yield datasets
    except UserError:
        raise
    except Exception as error:  # of many kinds: those of its servers, of its formats, and its own
        if isinstance(error, OSError) and error.errno is not None:  # the system's
            raise
        said = first_line(error).strip().rstrip(".")
        helps = ""
        if "scripts are no longer supported" in said:
            helps = (
                " A program of the dataset's own is never run here. The hub may have what it makes: "
                "data.revision=refs/convert/parquet."
            )
        elif "gated" in said:
            helps = " Ask for access on the dataset's page, and run hf auth login."
        raise UserError(f"data.name={asked.name} cannot be read: {said} ({type(error).__name__}).{helps}") from error


def kinds_of(features: Mapping[str, Feature]) -> dict[str, Kind]:
    """The kind of each column."""
    return {name: _kind(feature) for name, feature in features.items()}


def _kind(feature: Feature) -> Kind:
    """By the name of the feature's class: the library has others for what nothing here reads."""
    name = type(feature).__name__
    if name == "ClassLabel":
        return "class"
    if name in ("List", "LargeList", "Sequence"):
        return "classes" if type(feature.feature).__name__ == "ClassLabel" else "other"
    if name == "Image":
        return "image"
    dtype = feature.dtype if name == "Value" else ""
    if dtype in ("string", "large_string", "string_view"):
        return "text"
    if dtype.startswith(NUMBERS):
        return "number"
    return "bool" if dtype == "bool" else "date" if dtype.startswith(("date", "timestamp")) else "other"


def _written(copy: Copy, splits: Splits, folder: Path) -> Copy:
    """Writes the samples of each split, and the facts.

    Raises:
        UserError: there is nothing to train on.
    """
    choice, kept = copy.choice, []
    left_out = [f"the split {name} is left out" for name in splits if name not in choice.splits.values()]
    write, lacks = _write_rows, f"no {' or '.join(choice.targets)}"
    if choice.form == "images":
        write, lacks = _write_images, f"no {choice.image} or {lacks}"
    for split, name in choice.splits.items():
        number, num_rows = write(copy, split, splits[name], folder), splits[name].num_rows
        if number:
            kept.append(split)
        else:
            (folder / f"{split}.jsonl").unlink(missing_ok=True)
        if number < num_rows:
            left_out.append(f"{num_rows - number:,} of {num_rows:,} samples of {name} have {lacks}, and are left out")
    if "train" not in kept:
        raise UserError(f"data.name={choice.name}: no sample is left to train on. {'; '.join(left_out)}.")
    readable: dict[str, Kind] = {name: kind for name, kind in copy.columns.items() if kind != "other"}
    if unread := [name for name in copy.columns if name not in readable]:
        left_out.append(f"columns that cannot be read are left out: {list_some(unread)}")
    copy = replace(copy, columns=readable, splits=kept, left_out=left_out)
    copy.write(folder)
    return copy


def _rows(dataset: Any, columns: Sequence[str], at_once: int) -> Iterator[Cells]:
    for batch in dataset.select_columns([*columns]).iter(at_once):
        for cells in zip(*batch.values(), strict=True):
            yield dict(zip(batch, cells, strict=True))


def _write_rows(copy: Copy, split: Split, dataset: Any, folder: Path) -> int:
    """Writes a row for each sample whose class is known; returns how many these are."""
    plain = {name: kind for name, kind in copy.columns.items() if kind not in ("image", "other")}
    cells_of = {name: _cell(kind, dataset.features[name]) for name, kind in plain.items()}
    required = [name for name in copy.choice.targets if plain.get(name) in ("class", "classes")]
    number = 0
    with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
        for row in _rows(dataset, [*plain], AT_ONCE):
            cells = {name: cells_of[name](cell) for name, cell in row.items()}
            if all(cells[name] is not None for name in required):
                file.write(json.dumps(cells, ensure_ascii=False, default=str) + "\n")
                number += 1
    return number


def _cell(kind: Kind, feature: Feature) -> Callable[[Any], Any]:
    """What makes a cell of a row of what the library has for it."""
    if kind == "class":
        names = feature.names
        return lambda cell: names[cell] if cell is not None and cell != UNLABELED else None
    if kind == "classes":
        several = feature.feature.names
        return lambda cell: None if cell is None else [several[each] for each in cell if each != UNLABELED]
    if kind == "date":
        return lambda cell: None if cell is None else cell.isoformat(" ") if hasattr(cell, "hour") else str(cell)
    if kind == "number":
        return lambda cell: cell if isinstance(cell, int) else _finite(cell)
    return lambda cell: cell


def _finite(cell: Any) -> float | None:
    """JSON has neither NaN nor infinity."""
    return float(cell) if cell is not None and math.isfinite(cell) else None


def _write_images(copy: Copy, split: Split, dataset: Any, folder: Path) -> int:
    """Writes a file for each image whose class is known, in a folder for each class; returns as `_write_rows`."""
    from datasets import Image as Undecoded

    (target,), image = copy.choice.targets, copy.choice.image
    assert image is not None
    class_of = _cell(copy.columns[target], dataset.features[target])
    files, number = dataset.cast_column(image, Undecoded(decode=False)), 0
    for row in _rows(files, [image, target], FEW_AT_ONCE):
        name, content = class_of(row[target]), _content(row[image])
        if isinstance(name, float) and not name.is_integer():
            raise UserError(f"data.target={target}: images have one class each, and {name} is none.")
        if name is not None and content is not None:
            path = folder / IMAGES / split / folder_of(name_of(name)) / f"{number:07}{_suffix(content)}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            number += 1
    return number


def _content(value: Mapping[str, Any] | None) -> bytes | None:
    """The bytes of an image's file, which lie in the dataset or beside it."""
    if value is None or value["bytes"] is not None or value["path"] is None:
        return value["bytes"] if value else None
    path = Path(value["path"])
    return path.read_bytes() if local.is_file(path) else None


def _suffix(content: bytes) -> str:
    """The extension of an image's file, by its content; of no image that of any, and reading it says what is wrong."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            name = image.format or "PNG"
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        name = "PNG"
    return SUFFIXES.get(name, f".{name.lower()}")


def folder_of(name: str) -> str:
    """A class' name as that of a folder, everywhere; one that cannot be gets a hash, so that no two become the same."""
    safe = "".join("-" if letter in UNSAFE or ord(letter) < 32 else letter for letter in name)[:LONGEST]
    if safe == name and not name.startswith((".", "__MACOSX")):
        return name
    return f"{safe.lstrip('._')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
