"""What is exported takes raw data, and answers as `litmus predict` does; so does the program beside it."""

import ast
import csv
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from exporting import CASES, DETECTORS, OTHERS, TEXTS, again_slow, ids, make
from helpers import COLUMNS, DIGITS, WINDOWS
from PIL import Image

from litmus.data.columns.encode import encode
from litmus.data.image import decode
from litmus.inference.export import readback
from litmus.inference.export.example import program
from litmus.inference.export.pixels import Pixels
from litmus.inference.export.whole import Whole
from litmus.inference.export.write import write
from litmus.inference.forecast import Forecaster
from litmus.inference.images import ImagePredictor
from litmus.inference.texts import TextPredictor
from litmus.model._base import Net
from litmus.spec import Boxes, Category, Classes, Columns, Date, Images, Labels, Number, Series, Spec, Values

PHOTOS = Spec(
    "photos", Images(3, 64, 64, (0.4, 0.5, 0.6), (0.2, 0.3, 0.25), resized=72), Classes(("cat", "dog", "fox"))
)
CELLS = Spec(
    "table",
    Columns(
        (
            Number("area", 80.0, 20.0, 75.0, missing=True),
            Number("rank", 3.0, 1.0, 3.0, missing=False, quantiles=tuple(float(i // 3) for i in range(101))),
            Number("garden", 0.5, 0.5, 0.0, missing=True, words=("no", "yes")),
        ),
        (Date(Number("sold", 19000.0, 100.0, 19000.0, missing=True), "%d.%m.%Y", ("year", "week")),),
        (Category("district", ("north", "south", "west")), Category("floor", ("1", "2", "10"))),
    ),
    Values(("price", "rent"), (1e5, 900.0), (2e4, 300.0)),
)
Program = Callable[[Path, list[str]], list[str]]


def images(folder: Path, count: int) -> list[Path]:
    """Files of odd sizes: in color, gray, with a palette, with and without transparency, large, and turned by EXIF."""
    random = np.random.default_rng(0)
    paths = []
    for i in range(count):
        small = Image.fromarray(random.integers(0, 256, (5, 4, 4), dtype=np.uint8), "RGBA")
        size = (1200, 900) if i % 50 == 7 else tuple(int(side) for side in random.integers(8, 260, 2))
        image = small.resize(size, Image.Resampling.BICUBIC)
        mode = ("RGB", "RGBA", "L", "LA", "P", "CMYK")[i % 6]
        exif = Image.Exif()
        exif[0x0112] = i % 8 + 1
        suffix = "jpg" if mode in ("RGB", "L", "CMYK") else "png"
        paths.append(folder / f"{i}.{suffix}")
        whole = image.convert("RGB") if mode == "P" else image
        whole.convert(mode).save(paths[-1], exif=exif)
    return paths


def run_program(example: Path, words: list[str]) -> list[str]:
    """What the program prints, without litmus on its path, and from another folder."""
    code = "import sys, runpy; sys.modules['litmus'] = None; sys.modules['torch'] = None; sys.argv = sys.argv[1:]\n"
    code += "runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", code, str(example), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=example.parent.parent)
    assert done.returncode == 0, done.stderr
    assert len(example.read_text().splitlines()) <= 76
    return done.stdout.splitlines()


def exported(net: Net, folder: Path) -> onnxruntime.InferenceSession:
    write(net, "onnx", folder / "export" / "model.onnx")
    return onnxruntime.InferenceSession(folder / "export" / "model.onnx")


@pytest.mark.wide
@pytest.mark.usefixtures("narrow_resnet")
@pytest.mark.parametrize(("name", "spec", "changes"), again_slow(OTHERS), ids=ids(OTHERS))
def test_every_network_is_exported_whole(name: str, spec: Spec, changes: dict[str, object], tmp_path: Path) -> None:
    net = make(name, spec, changes)
    check_session(exported(net, tmp_path), net)
    if spec is TEXTS:
        check_texts(tmp_path / "export" / "example.py", net)


def check_texts(example: Path, net: Net) -> None:
    texts = ["am bne  cpi", "[PAD] am\n", "zz", "am bna co " * 40]
    expected = TextPredictor(net).predict(texts, 2)
    for text, prediction, line in zip(texts, expected, run_program(example, texts), strict=True):
        told, label, probability = line.rsplit(" ", 2)
        assert (told, label) == (" ".join(text.split()), prediction["label"])
        assert float(probability) == pytest.approx(prediction["probabilities"][label], abs=1e-3)


def check_session(session: onnxruntime.InferenceSession, net: Net) -> None:
    """Another program's answer to raw inputs of several sizes is that of the same preprocessing and network here."""
    spec, whole = net.spec, Whole(net).eval()
    assert [each.name for each in session.get_inputs()] == [port.name for port in whole.inputs]
    assert [each.name for each in session.get_outputs()] == [port.name for port in whole.outputs]
    for own, port in zip(session.get_inputs(), whole.inputs, strict=True):
        assert [str(axis) for axis in own.shape] == list(port.axes)
    if not isinstance(spec.input, Columns):
        inputs = readback.random_inputs(whole, 2)
        found = session.run(
            None, {own.name: each.numpy() for own, each in zip(session.get_inputs(), inputs, strict=True)}
        )
        outputs = whole(*inputs)
        for ours, theirs in zip(outputs if isinstance(outputs, tuple) else (outputs,), found, strict=True):
            assert ours.numpy() == pytest.approx(theirs, abs=1e-4)
    if isinstance(spec.target, Classes) and net.predicts_probabilities and not isinstance(spec.input, Columns):
        assert found[0].sum(axis=1) == pytest.approx(np.ones(2), abs=1e-5)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["names"]) == list(spec.target.names)
    assert Spec.from_plain(json.loads(metadata["litmus"])) == spec


@pytest.mark.wide
@pytest.mark.parametrize("form", ["torch", "openvino"])
@pytest.mark.parametrize(
    "spec",
    [pytest.param(spec, marks=pytest.mark.slow) for spec in (DIGITS, COLUMNS)] + [CELLS],
    ids=["digits", "columns", "cells"],
)
def test_other_formats_are_whole_too(form: str, spec: Spec, tmp_path: Path) -> None:
    if form == "openvino":
        pytest.importorskip("openvino")
    assert write(make("fnn", spec, {}), form, tmp_path / "model.pt2") < 1.0


@pytest.mark.wide
@pytest.mark.usefixtures("narrow_resnet")
@pytest.mark.parametrize(
    ("name", "spec", "count"),
    [
        pytest.param("resnet", PHOTOS, 60, marks=pytest.mark.slow),
        pytest.param("resnet", PHOTOS, 1000, marks=pytest.mark.slow),
        ("fnn", DIGITS, 60),
        pytest.param("cnn", DIGITS, 1000, marks=pytest.mark.slow),
    ],
)
def test_images_of_all_kinds(name: str, spec: Spec, count: int, tmp_path: Path) -> None:
    net = make(name, spec, {})
    session = exported(net, tmp_path)
    paths = images(tmp_path, count)
    if not spec.input.resized:  # a letterboxed JPEG that is large is decoded in full, and differs by rounding
        paths = [path for path in paths if path.suffix == ".png"]
    expected = list(ImagePredictor(net).predict(paths, 16, len(spec.target.names), 0.0))
    printed = run_program(tmp_path / "export" / "example.py", [str(path) for path in paths])
    for prediction, line in zip(expected, printed, strict=True):
        path, label, probability = line.rsplit(" ", 2)
        assert (path, label) == (prediction["image"], prediction["label"])
        assert float(probability) == pytest.approx(prediction["probabilities"][label], abs=1e-5)
    assert session.get_inputs()[0].type == "tensor(uint8)"


@pytest.mark.parametrize("resized", [0, 37])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_pixel_is_that_of_predict(resized: int, channels: int) -> None:
    read = Images(channels, 32, 32, (0.0,) * channels, (1.0,) * channels, resized)
    pixels, random = Pixels(read), np.random.default_rng(0)
    for height, width in [*random.integers(5, 120, (60, 2)).tolist(), (300, 9), (9, 300), (32, 32), (37, 37)]:
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        expected = decode.read(Image.fromarray(image), read).pixels
        assert (pixels(torch.from_numpy(image[None]))[0] * 255).round().byte().numpy().tolist() == expected.tolist()


@pytest.mark.wide
@pytest.mark.parametrize(("name", "spec", "changes"), again_slow(DETECTORS), ids=ids(DETECTORS))
def test_a_detector_is_exported_whole_and_its_boxes_are_those_of_predict(
    name: str, spec: Spec, changes: dict[str, object], tmp_path: Path
) -> None:
    net = make(name, spec, changes)
    net.min_score = 0.001
    generator = torch.Generator().manual_seed(0)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    check_session(exported(net, tmp_path), net)
    paths = images(tmp_path, 6)
    expected = list(ImagePredictor(net).predict(paths, 16, 1, net.min_score))
    lines = [f"{prediction['image']} {box['label']}" for prediction in expected for box in prediction["boxes"]]
    printed = run_program(tmp_path / "export" / "example.py", [str(path) for path in paths])
    assert len(lines) >= 6, "a network without boxes shows nothing"
    assert [" ".join(line.split()[:2]) for line in printed] == lines
    boxes = [box for prediction in expected for box in prediction["boxes"]]
    for line, box in zip(printed, boxes, strict=True):
        assert float(line.split()[2]) == pytest.approx(box["score"], abs=1e-3)
        assert json.loads(line.split(" ", 3)[3]) == pytest.approx(box["box"], abs=0.1)


@pytest.mark.wide
def test_a_table_as_it_is_written(tmp_path: Path) -> None:
    pytest.importorskip("polars")
    net = make("fnn", CELLS, {})
    exported(net, tmp_path)
    for separator, decimal in ((",", "."), (";", ","), ("\t", ",")):
        check_table(tmp_path, net, separator, decimal)


def check_table(folder: Path, net: Net, separator: str, decimal: str) -> None:
    import polars

    rows = [
        ("62.5", "3", "yes", "4.2.2024", "north", "10"),
        ("", "0", "", "", "", ""),
        ("NA", "33", "NO", "01.03.1999", "nowhere", "1"),
        ("1e3", "7.25", "No", "29.02.2024", "west", "2"),
        ("-inf", "1", "yes", "29.02.2024", "west", "2"),
    ]
    names = ["area", "rank", "garden", "sold", "district", "floor"]
    with (folder / "new.csv").open("w", newline="") as file:
        numbers = [[cell.replace(".", decimal) if cell.count(".") == 1 else cell for cell in row] for row in rows]
        csv.writer(file, delimiter=separator).writerows([[*names, "other"], *([*row, "x"] for row in numbers)])
    from litmus.data.columns.read import read_table

    frame = read_table(folder / "new.csv", (), encoding="auto", separator="auto").frame
    assert isinstance(frame, polars.DataFrame)
    assert isinstance(CELLS.input, Columns)
    with torch.no_grad():
        expected = net(encode(frame, CELLS.input)) * torch.tensor(CELLS.target.std) + torch.tensor(CELLS.target.mean)
    printed = run_program(folder / "export" / "example.py", [str(folder / "new.csv")])
    for row, line in zip(expected, printed, strict=True):
        price, rent = (float(part.split(":")[1].strip(" }")) for part in line.split(","))
        assert [price, rent] == pytest.approx(row.tolist(), rel=1e-4)  # sums of float32 in another order


@pytest.mark.wide
@pytest.mark.parametrize(
    ("scaling", "columns"),
    [
        pytest.param("series", ("a", "b"), marks=pytest.mark.slow),
        pytest.param("window", ("a",), marks=pytest.mark.slow),
        pytest.param("difference", ("a",), marks=pytest.mark.slow),
        pytest.param("seasonal", ("a",), marks=pytest.mark.slow),
        ("seasonal_difference", ("a", "b")),
    ],
)
def test_a_series(scaling: str, columns: tuple[str, ...], tmp_path: Path) -> None:
    facts = {"mean": (1e8, 5.0), "std": (2.0, 3.0)}  # far from zero, float32 would lose the waves
    own = {name: fact[: len(columns)] for name, fact in facts.items()}
    read = Series(6, len(columns), **own, scaling=scaling, period=4, columns=columns)
    net = make("lstm", replace(WINDOWS, input=read, target=Values(("a",), (1e8,), (2.0,))), {})
    net.head.reset_parameters()
    exported(net, tmp_path)
    values = np.sin(np.arange(40)[:, None] * [1, 0.3][: len(columns)]) * 3 + [1e8, 1][: len(columns)]
    lines = [",".join(map(str, row)) for row in values]
    (tmp_path / "wave.csv").write_text("\n".join([",".join(columns), *lines]))
    mean, std = (torch.tensor(fact, dtype=torch.float64) for fact in (read.mean, read.std))
    window = ((torch.tensor(values[None, -6:]) - mean) / std).float()
    with torch.no_grad():
        expected = net(window).double() * 2.0 + 1e8
    (line,) = run_program(tmp_path / "export" / "example.py", [str(tmp_path / "wave.csv")])
    assert float(line.split(":")[1].strip(" }")) == pytest.approx(float(expected), rel=0, abs=1e-4)


@pytest.mark.wide
@pytest.mark.parametrize("known", [pytest.param(0, marks=pytest.mark.slow), 1])
@pytest.mark.parametrize("is_missing", [pytest.param(False, marks=pytest.mark.slow), True])
def test_several_series_with_columns_and_gaps(known: int, is_missing: bool, tmp_path: Path) -> None:
    pytest.importorskip("polars")
    columns = ("sales", "rain", "holiday")
    indicators = ("sales is missing", "holiday is missing") if is_missing else ()
    facts = {"mean": (50.0, 3.0, 0.2, 0.1, 0.1), "std": (9.0, 2.0, 0.4, 0.3, 0.3)}
    size = 3 + len(indicators)
    own = {name: fact[:size] for name, fact in facts.items()}
    read = Series(6, size, **own, columns=(*columns, *indicators), known=known, group="shop", known_per_step=True)
    assert read.raw == columns
    net = make("lstm", replace(WINDOWS, input=read, target=Values(("sales+1", "sales+2"), (50.0,) * 2, (9.0,) * 2)), {})
    net.head.reset_parameters()
    if net.ahead is not None:
        net.ahead.change.reset_parameters()
    exported(net, tmp_path)
    random = np.random.default_rng(0)
    rows = [["shop", *columns]]
    for step in range(20):
        for shop in ("north", "south"):
            cells = [f"{value:.2f}" for value in random.normal(50, 9, 3)]
            if is_missing and step:  # the window begins with missing values, too
                cells = ["" if random.random() < 0.4 else cell for cell in cells]
            if known and step >= 18:
                cells[0] = ""
            rows.append([shop, *cells])
    settings = {"path": "x", "column": "sales", "time": None, "group": "shop", "known": ["holiday"][:known]}
    settings |= {"inputs": ["rain", "holiday"][: 2 - known], "thousands": None, "encoding": "auto", "separator": "auto"}
    for separator in (",", ";"):
        texts = [[cell.replace(".", ",") if separator == ";" else cell for cell in row] for row in rows]
        (tmp_path / "shops.csv").write_text("\n".join(separator.join(row) for row in texts))
        found = Forecaster(net, settings).forecast(tmp_path / "shops.csv", None)
        printed = run_program(tmp_path / "export" / "example.py", [str(tmp_path / "shops.csv")])
        assert [line.split()[0] for line in printed] == [each.group for each in found] == ["north", "south"]
        for each, line in zip(found, printed, strict=True):
            assert [*ast.literal_eval(line.split(" ", 1)[1]).values()] == pytest.approx(each.values.tolist(), abs=1e-4)


def test_programs_say_how_they_are_used(tmp_path: Path) -> None:
    for number, spec in enumerate((DIGITS, CELLS, WINDOWS, TEXTS)):
        example = tmp_path / f"{number}.py"
        example.write_text(program(spec, "model.onnx"))
        done = subprocess.run([sys.executable, example], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert ": python example.py" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_labels_have_probabilities_of_their_own(tmp_path: Path) -> None:
    net = make("cnn", replace(DIGITS, target=Labels(("cat", "dog", "red"))), {})
    session = exported(net, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), dtype=np.uint8)
    (found,) = session.run(["probabilities"], {"images": pixels})
    logits = net(Whole(net).read(torch.from_numpy(pixels)))
    assert found == pytest.approx(logits.detach().sigmoid().numpy(), abs=1e-5)


@pytest.mark.slow
def test_a_program_that_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text("mine")
    write(make("fnn", DIGITS, {}), "onnx", tmp_path / "model.onnx")
    assert (tmp_path / "example.py").read_text() == "mine"


def test_every_kind_of_target_and_input_is_among_the_cases() -> None:
    assert {type(spec.input) for _, spec, _ in CASES} >= {Images, Columns, Series}
    assert any(isinstance(spec.target, Boxes) for _, spec, _ in CASES)
