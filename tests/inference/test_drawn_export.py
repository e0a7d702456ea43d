"""An exported network of digits does not invert, crop and center what is drawn: its program says where that is due."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from drawn import WAYS
from helpers import ROOT
from PIL import Image

from litmus.data.image.strokes import Strokes, prepare
from litmus.inference.export.example import program
from litmus.inference.load import load_run
from litmus.record.folder import RunDir

RUN = ROOT / "tests" / "earlier" / "cnn-mnist"


@pytest.fixture
def strokes() -> Strokes:
    read = load_run(RunDir(RUN)).spec.input
    return read.strokes or Strokes(28, 28, 20, (14.0, 14.0), 2.2, (0.0,) * 5, (1e9,) * 5)


@pytest.mark.wide
def test_the_program_looks_at_what_predict_changes(strokes: Strokes, tmp_path: Path) -> None:
    spec = load_run(RunDir(RUN)).spec
    text = program(replace(spec, input=replace(spec.input, strokes=strokes)), "model.onnx")
    begin = text.index("def like_training")
    names: dict[str, object] = {"np": np, "Image": Image}
    exec(text[begin : text.index("for path in")], names)
    like_training = names["like_training"]
    images = [way(digit, 0, 0).convert("RGB") for way in WAYS.values() for digit in range(0, 10, 3)]
    fitted = [image.convert("RGB") for image, _ in prepare(images, strokes)]
    black, blank = (Image.new("RGB", (28, 28), color) for color in ("black", "white"))
    for image in [*images, *fitted, black, blank]:
        ((_, note),) = prepare([image], strokes)
        assert like_training(image) == (not note.split(": ")[0].removeprefix("unlike the training images"))
    assert sum(map(like_training, fitted)) > len(fitted) / 2
    assert not any(map(like_training, images))


@pytest.mark.slow
def test_it_is_said_on_the_screen_and_by_the_program(
    strokes: Strokes, tmp_path: Path, litmus: Callable[..., tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    net = load_run(RunDir(RUN))
    net.spec = replace(net.spec, input=replace(net.spec.input, strokes=strokes))
    monkeypatch.setattr("litmus.inference.load.load_run", lambda run: net)
    out, _ = litmus("export", str(RUN), "--to", "onnx", "--out", "new/model.onnx")
    assert "It does not invert, crop and center what is drawn, as litmus predict does" in " ".join(out.split())
    Image.new("RGB", (50, 60), "white").save(tmp_path / "page.png")
    done = subprocess.run([sys.executable, "new/example.py", "page.png"], capture_output=True, text=True, check=False)
    assert "page.png is unlike the training images: invert, crop and center its strokes" in done.stderr
    assert done.stdout.startswith("page.png ")
