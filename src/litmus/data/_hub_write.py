"""Writing a copy, as `_hub_copy` describes it, of what the hub's library has read."""

import hashlib
import io
import json
import logging
import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from litmus.config.protocols import Split
from litmus.data._classes import list_some
from litmus.data._hub_choice import Kind
from litmus.data._hub_copy import IMAGES, Copy, size_in
from litmus.data._targets import name_of
from litmus.errors import UserError, first_line
from litmus.fetch import local
from litmus.fetch.once import all_to_disk

log = logging.getLogger(__name__)

Feature = Any  # the library's: it has no types
Splits = Mapping[str, Any]  # its Dataset by the name of each split
Cells = dict[str, Any]

AT_ONCE, FEW_AT_ONCE = 1000, 16  # rows that are read together, and images
LONGEST = 60  # letters of a folder's name
UNLABELED = -1  # what the hub's test splits have for a class that is not told
NUMBERS = ("int", "uint", "float", "double", "decimal")
SUFFIXES = {"JPEG": ".jpg", "MPO": ".jpg", "TIFF": ".tif", "PPM": ".ppm"}  # where Pillow's name is not the extension
UNSAFE = '/\\:*?"<>|\0'  # what a folder's name cannot have, on one system or another


@contextmanager
def reading(name: str) -> Iterator[None]:
    """What the library raises in the body becomes a sentence on the dataset of that name."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # of many kinds: those of the system, of its servers, of its formats, and its own
        said = first_line(error).strip().rstrip(".")
        if isinstance(error, OSError) and error.errno is not None:  # the system's
            said = ": ".join(filter(None, (error.filename, local.reason(error))))
        helps = ""
        if "scripts are no longer supported" in said:
            helps = (
                " A program of the dataset's own is never run here. The hub may have what it makes: "
                "data.revision=refs/convert/parquet."
            )
        elif "gated" in said:
            helps = " Ask for access on the dataset's page, and run hf auth login."
        raise UserError(f"data.name={name} cannot be read: {said} ({type(error).__name__}).{helps}") from error


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """What the system raises in the body becomes a sentence on a file in that folder."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be written to: {local.reason(error)}.") from None


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


def write_copy(copy: Copy, splits: Splits, folder: Path, own: Sequence[Path]) -> Copy:
    """Writes the samples of each split, and the facts.

    Args:
        copy: what is known of it.
        splits: of the dataset.
        folder: to write into.
        own: folders of the dataset's files: images elsewhere are not read, whatever the dataset names.

    Raises:
        UserError: there is nothing to train on.
    """
    choice, sizes = copy.choice, dict[Split, int]()
    left_out = [f"the split {name} is left out" for name in splits if name not in choice.splits.values()]
    write, lacks = _write_rows, f"no {' or '.join(choice.targets)}"
    if choice.form == "images":
        write = partial(_write_images, own=[path.resolve() for path in own], taken={})
        lacks = f"no {choice.image} or {lacks}"
    for split, name in choice.splits.items():
        number, num_rows = write(copy, split, splits[name], folder), splits[name].num_rows
        if number:
            sizes[split] = size_in(folder, split)
        else:
            (folder / f"{split}.jsonl").unlink(missing_ok=True)
        if number < num_rows:
            left_out.append(f"{num_rows - number:,} of {num_rows:,} samples of {name} have {lacks}, and are left out")
    if "train" not in sizes:
        raise UserError(f"data.name={choice.name}: no sample is left to train on. {'; '.join(left_out)}.")
    readable: dict[str, Kind] = {name: kind for name, kind in copy.columns.items() if kind != "other"}
    if unread := [name for name in copy.columns if name not in readable]:
        left_out.append(f"columns that cannot be read are left out: {list_some(unread)}")
    copy = replace(copy, columns=readable, sizes=sizes, left_out=left_out)
    copy.write(folder)
    all_to_disk(folder)
    return copy


def _rows(name: str, dataset: Any, cell_of: Mapping[str, Callable[[Any], Any]], at_once: int) -> Iterator[Cells]:
    """The rows of a split.

    Args:
        name: of the dataset.
        dataset: the split.
        cell_of: of each column that is read, what makes a cell of what the library has for it.
        at_once: rows that are read together.
    """
    with reading(name):
        for batch in dataset.select_columns([*cell_of]).iter(at_once):
            for cells in zip(*batch.values(), strict=True):
                yield {column: cell_of[column](cell) for column, cell in zip(batch, cells, strict=True)}


def _write_rows(copy: Copy, split: Split, dataset: Any, folder: Path) -> int:
    """Writes a row for each sample whose class is known; returns how many these are."""
    plain = {name: kind for name, kind in copy.columns.items() if kind not in ("image", "other")}
    cell_of = {name: _cell(kind, dataset.features[name]) for name, kind in plain.items()}
    required = [name for name in copy.choice.targets if plain.get(name) in ("class", "classes")]
    number = 0
    with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
        for cells in _rows(copy.choice.name, dataset, cell_of, AT_ONCE):
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
        return lambda cell: None if cell is None else cell.isoformat(" ") if isinstance(cell, datetime) else str(cell)
    if kind == "number":
        return lambda cell: cell if isinstance(cell, int) else _finite(cell)
    return lambda cell: cell


def _finite(cell: Any) -> float | None:
    """JSON has neither NaN nor infinity."""
    return float(cell) if cell is not None and math.isfinite(cell) else None


def _write_images(
    copy: Copy, split: Split, dataset: Any, folder: Path, own: Sequence[Path], taken: dict[str, str]
) -> int:
    """Writes a file for each image whose class is known, in a folder for each class; returns as `_write_rows`."""
    from datasets import Image as Undecoded

    (target,), image = copy.choice.targets, copy.choice.image
    assert image is not None
    elsewhere: list[str] = []
    class_of = _cell(copy.columns[target], dataset.features[target])
    cell_of: dict[str, Callable[[Any], Any]] = {
        image: partial(_content, own=own, elsewhere=elsewhere),
        target: class_of,
    }
    files, number = dataset.cast_column(image, Undecoded(decode=False)), 0
    for row in _rows(copy.choice.name, files, cell_of, FEW_AT_ONCE):
        name, content = row[target], row[image]
        if isinstance(name, float) and not name.is_integer():
            raise UserError(f"data.target={target}: images have one class each, and {name} is none.")
        if name is not None and str(name).strip() and content is not None:
            path = folder / IMAGES / split / folder_of(name_of(name), taken) / f"{number:07}{_suffix(content)}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            number += 1
    if elsewhere:
        sentence = "data.name=%s: %d images of %s are not among the dataset's files, and are not read, such as %s."
        log.warning(sentence, copy.choice.name, len(elsewhere), copy.choice.splits[split], elsewhere[0])
    return number


def _content(value: Mapping[str, Any] | None, own: Sequence[Path], elsewhere: list[str]) -> bytes | None:
    """The bytes of an image, which lie in the dataset or in a file of its own; of others, the name goes to a list."""
    if value is None or value["bytes"] is not None or value["path"] is None:
        return value["bytes"] if value else None
    path = Path(value["path"]).resolve()
    if not any(path.is_relative_to(each) for each in own):
        elsewhere.append(value["path"])
        return None
    return path.read_bytes() if local.is_file(path) else None


def _suffix(content: bytes) -> str:
    """The extension of an image's file, by its content; of no image that of any, and reading it says what is wrong."""
    try:
        with Image.open(io.BytesIO(content)) as image:
            name = image.format or "PNG"
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        name = "PNG"
    return SUFFIXES.get(name, f".{name.lower()}")


def folder_of(name: str, taken: dict[str, str]) -> str:
    """A class' name as that of a folder, everywhere; one that cannot be gets a hash, so that no two become the same.

    Args:
        name: of the class.
        taken: the class of each folder so far, to which this one is added; by its name as some systems compare names.
    """
    safe = "".join("-" if letter in UNSAFE or ord(letter) < 32 else letter for letter in name)[:LONGEST]
    if safe == name and not name.startswith((".", "__MACOSX")):
        compared = unicodedata.normalize("NFC", name.casefold()).rstrip(". ")
        if taken.setdefault(compared, name) == name:
            return name
    return f"{safe.lstrip('._')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
