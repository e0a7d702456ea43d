"""The program beside an exported file, by itself: what it says where there is little to say. No network runs here."""

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from helpers import COLUMNS, DIGITS, WINDOWS
from PIL import Image

from litmus.data.columns.read import read_table
from litmus.inference.export.example import program
from litmus.spec import Boxes, Spec

DETECTOR = replace(DIGITS, target=Boxes(("cat", "dog")))
STUB = """\
import numpy as np


class InferenceSession:
    def __init__(self, path):
        self.custom_metadata_map = {"names": '["a", "b", "c"]'}

    def get_modelmeta(self):
        return self

    def run(self, outputs, inputs):
        if "series" in inputs:
            return (inputs["series"][:, -1],)
        np.save("given.npy", *inputs.values())
        return np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64)
"""


def run(spec: Spec, *words: str) -> subprocess.CompletedProcess[str]:
    """The program, with a stub for onnxruntime that finds no boxes, and forecasts the last row."""
    Path("onnxruntime.py").write_text(STUB)
    Path("example.py").write_text(program(spec, "model.onnx"))
    return subprocess.run([sys.executable, "example.py", *words], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("spec", [DIGITS, DETECTOR, COLUMNS, WINDOWS], ids=["images", "boxes", "columns", "series"])
def test_a_file_that_cannot_be_read_is_a_sentence(spec: Spec) -> None:
    done = run(spec, "none.csv")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "none.csv cannot be read: No such file or directory\n"


def test_a_file_that_is_no_image_is_a_sentence() -> None:
    Path("a.png").write_text("a")
    done = run(DETECTOR, "a.png")
    assert (done.returncode, done.stderr) == (1, "a.png cannot be read: it is no image\n")


@pytest.mark.parametrize("name", ["wide.png", "wide.tif", "wide.pgm"])
def test_of_sixteen_bits_the_upper_ones_are_given(name: str) -> None:
    Image.fromarray(np.full((30, 40), 0x80FF, dtype=np.uint16)).save(name)
    done = run(DETECTOR, name)
    assert done.returncode == 0, done.stderr
    assert (np.load("given.npy") == np.full((30, 40, 3), 0x80)).all()


def test_pixels_without_a_known_range_are_a_sentence() -> None:
    Image.fromarray(np.full((30, 40), 0.5, dtype=np.float32)).save("float.tif")
    done = run(DETECTOR, "float.tif")
    assert (done.returncode, done.stderr) == (1, "float.tif: its pixels are numbers without a known range\n")


def test_an_image_without_boxes_is_said() -> None:
    Image.new("RGB", (40, 30)).save("photo.png")
    done = run(DETECTOR, "photo.png", "photo.png")
    assert (done.returncode, done.stdout.splitlines()) == (0, ["photo.png: no boxes"] * 2), done.stderr


@pytest.mark.parametrize("thousands", [(), ("a",), ("a", "c")])
def test_points_of_a_series_are_read_as_in_training(thousands: tuple[str, ...]) -> None:
    Path("a.csv").write_text("a;b;c\n" + "".join(f"{i}.100;{i},5;{i}.25\n" for i in range(1, 14)))
    series = replace(WINDOWS.input, features=3, mean=(1.0,) * 3, std=(1.0,) * 3, columns=("a", "b", "c"))
    done = run(replace(WINDOWS, input=replace(series, thousands=thousands)), "a.csv")
    frame, _ = read_table(Path("a.csv"), (), encoding="auto", separator="auto", thousands=thousands)
    expected = frame.row(-1, named=True)
    assert expected == {"a": 13100.0 if thousands else 13.1, "b": 13.5, "c": 13.25}
    assert ast.literal_eval(done.stdout.partition(" ")[2]) == expected, done.stderr


def numbers(separator: str, cells: list[str], *points: bool) -> list[float]:
    """What the program's `number` makes of cells."""
    text = program(WINDOWS, "model.onnx").partition("session = ")[0]
    text = text.partition("def number")[2]
    code = f"import re\nimport numpy as np\nseparator = {separator!r}\ndef number{text}\n"
    facts: dict[str, object] = {}
    exec(code, facts)
    read = facts["number"]
    assert callable(read)
    return [read(cell, *points) for cell in cells]


def test_cells_as_numbers() -> None:
    read = numbers(",", ["1,234", "1,5", " 7.25 ", "+3e1", "1.", ".5", "1.234.567", "-2"])
    assert read == [1234.0, 1.5, 7.25, 30.0, 1.0, 0.5, 1234567.0, -2.0]
    assert numbers(";", ["1,234", "1.234,5", "1.234"]) == [1.234, 1234.5, 1.234]
    assert numbers(";", ["1.234", "-1.500", "0.125", "1.5", "608"], True) == [1234.0, -1500.0, 0.125, 1.5, 608.0]
    assert numbers(",", ["1.234"], True) == [1.234]
    none = ["inf", "-inf", "+Infinity", "1e999", "nan", "kA", "", "1_000", "٣", "1,2,3"]
    assert all(value != value for value in numbers(";", none))
