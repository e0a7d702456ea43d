"""What litmus uses of the package `datasets`, where that is not installed: sets of a few rows, as JSON files.

`write` writes one; `library` stands for the package in its body. A folder `served` of such sets is the hub, whose names
are those of the folders in it.
"""

import importlib.machinery
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

FILE = "set.json"
REVISION = "0123456789abcdef0123456789abcdef01234567"


class ClassLabel:
    def __init__(self, names: list[str]) -> None:
        self.names = names


class Value:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype


class List:
    def __init__(self, feature: object) -> None:
        self.feature = feature


class Image:
    def __init__(self, decode: bool = True) -> None:
        self.decode = decode


class Audio:
    pass


class DatasetNotFoundError(FileNotFoundError):
    pass


class Dataset:
    """The rows of a split; an image is its file's name, or what the real one gives where it is not decoded."""

    def __init__(self, rows: list[dict[str, Any]], features: dict[str, Any], folder: Path) -> None:
        self.rows, self.features, self.folder = rows, features, folder

    @property
    def num_rows(self) -> int:
        return len(self.rows)

    def cast_column(self, name: str, feature: Any) -> "Dataset":
        return Dataset(self.rows, {**self.features, name: feature}, self.folder)

    def select_columns(self, names: Sequence[str]) -> "Dataset":
        return Dataset(self.rows, {name: self.features[name] for name in names}, self.folder)

    def iter(self, at_once: int) -> Iterator[dict[str, list[Any]]]:
        for start in range(0, len(self.rows), at_once):
            some = self.rows[start : start + at_once]
            yield {name: [self._cell(name, row[name]) for row in some] for name in self.features}

    def _cell(self, name: str, cell: Any) -> Any:
        feature = self.features[name]
        assert not isinstance(feature, Audio)
        if not isinstance(feature, Image) or not isinstance(cell, str):
            return cell
        assert not feature.decode
        return {"bytes": (self.folder / cell).read_bytes(), "path": cell}


def feature(described: Any) -> Any:
    """`"string"`, `["neg", "pos"]` for classes, `{"of": ["red", "green"]}` for several of them, `"image"`."""
    if isinstance(described, list):
        return ClassLabel(described)
    if isinstance(described, dict):
        return List(feature(described["of"]))
    return {"image": Image, "audio": Audio}.get(described, lambda: Value(described))()


def write(folder: Path, features: Mapping[str, Any], splits: Mapping[str, Any], **more: Any) -> None:
    """Writes a set: of each split its rows; with `configs`, the names of several that have the same rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps({"features": features, "splits": splits, **more}))


def package(served: Path | None) -> ModuleType:
    """The package, with the hub in a folder."""

    def found(path: str) -> tuple[Path, dict[str, Any]]:
        for folder in (Path(path), *([served / path] if served else [])):
            if (folder / FILE).is_file():
                return folder, json.loads((folder / FILE).read_text())
        raise DatasetNotFoundError(f"Dataset '{path}' doesn't exist on the Hub or cannot be accessed.")

    def names(path: str, revision: str | None = None) -> list[str]:
        return found(path)[1].get("configs", ["default"])

    def builder(path: str, name: str | None, *, cache_dir: str, revision: str | None = None) -> SimpleNamespace:
        folder, described = found(path)
        if error := described.get("error"):
            raise RuntimeError(error)
        configs = described.get("configs", ["default"])
        if name not in configs and (name or len(configs) > 1):
            raise ValueError(f"BuilderConfig {name} not found, or missing")
        assert revision in (None, "main", REVISION)
        features = {key: feature(own) for key, own in described["features"].items()}
        splits = {split: Dataset(rows, features, folder) for split, rows in described["splits"].items()}
        return SimpleNamespace(
            config=SimpleNamespace(name=name or configs[0]),
            hash=REVISION,
            info=SimpleNamespace(features=features, splits=splits),
            download_and_prepare=lambda: None,
            as_dataset=lambda: splits,
        )

    module = ModuleType("datasets")
    module.__spec__ = importlib.machinery.ModuleSpec("datasets", None, origin=__file__)
    vars(module).update(
        logging=SimpleNamespace(set_verbosity_error=lambda: None),
        disable_progress_bars=lambda: None,
        get_dataset_config_names=names,
        load_dataset_builder=builder,
        Image=Image,
    )
    return module


@contextmanager
def library(served: Path | None = None) -> Iterator[None]:
    """In the body the package is there; so is the hub, if it has a folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "datasets", package(served))
        patch.setattr("litmus.fetch.hub.reachable", lambda: served is not None)
        yield
