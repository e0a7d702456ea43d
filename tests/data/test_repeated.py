"""Samples of validation and test that are in an earlier split, too, are counted: the doctor calls it a leak."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from helpers import composed
from PIL import Image

from litmus.config.instantiate import build
from litmus.config.protocols import Data


def set_up(*overrides: str) -> Data:
    """The datamodule of that command line, its splits made."""
    data: Data = build(composed(*overrides)["data"], 0)
    data.prepare_data()
    data.setup("fit")
    return data


def text_frame(texts: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"text": texts, "label": ["good" if number % 2 else "bad" for number in range(len(texts))]})


def test_texts_of_a_table_for_validation(tmp_path: Path) -> None:
    own = [f"what number {number} says" for number in range(40)]
    text_frame(own).write_csv(tmp_path / "train.csv")
    text_frame([*own[:4], *(f"another {number}" for number in range(6))]).write_csv(tmp_path / "val.csv")
    text_frame([*own[4:5], "another 1", *(f"third {number}" for number in range(8))]).write_csv(tmp_path / "test.csv")
    paths = (f"data.{key}={tmp_path}/{name}.csv" for key, name in (("path", "train"), ("val_path", "val")))
    data = set_up("model=lstm", "data=text_table", *paths, f"data.test_path={tmp_path}/test.csv")
    assert data.repeated == {"val": 4, "test": 2}


@pytest.mark.parametrize("num_copied", [0, 3])
def test_photos_of_a_folder_for_validation(tmp_path: Path, num_copied: int) -> None:
    generator = np.random.default_rng(0)
    for split, number in (("train", 12), ("val", 6), ("test", 6)):
        for name in ("cat", "dog"):
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(number):
                pixels = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{i}.png")
    for i in range(num_copied):
        (tmp_path / "val" / "cat" / f"{i}.png").write_bytes((tmp_path / "train" / "cat" / f"{i}.png").read_bytes())
    data = set_up("model=cnn", "data=image_folder", f"data.path={tmp_path}", f"data.dir={tmp_path}/kept")
    assert data.repeated == {"val": num_copied, "test": 0}
