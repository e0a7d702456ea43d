"""`litmus predict` answers digits that a person draws: black on white, small, thin, photographed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn import WAYS
from helpers import ON_TABLE, SMALL
from PIL import Image

from litmus.cli.main import main
from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
ENOUGH = [*SMALL, "data.limit=null", "trainer.max_epochs=6"]  # of 3,666 digits, for an accuracy of 94 %


def answers(litmus: Litmus, run: RunDir, *words: str) -> dict[str, dict]:
    """What is predicted for the images in drawn/, by file name."""
    out, _ = litmus("predict", str(run.path), "drawn", "--json", *words)
    return {Path(answer["image"]).name: answer for answer in map(json.loads, out.splitlines())}


def num_right(found: dict[str, dict]) -> int:
    return sum(answer["label"] == name[0] for name, answer in found.items())


@pytest.mark.wide
def test_drawn_digits_are_answered_right(train: Train, tmp_path: Path, litmus: Litmus) -> None:
    run = train("model=fnn", small=ENOUGH)
    (tmp_path / "drawn").mkdir()
    for i, way in enumerate(WAYS.values()):
        for digit in range(i % 2, 10, 2):
            way(digit, i // 2 % 2, 0).save(tmp_path / "drawn" / f"{digit}-{i}.png")
    found = answers(litmus, run, "--show", "seen")
    assert len(found) == 80
    assert num_right(found) >= 70
    assert found["0-0.png"]["note"] == "inverted, thickened, fitted into 20 pixels, centered"
    _, err = litmus("predict", str(run.path), "drawn/0-0.png")
    assert err == ""
    for name, answer in found.items():
        assert answer["input"] == str(Path("seen") / f"{name.removesuffix('.png')}-input.png")
        with Image.open(answer["input"]) as image:
            assert (image.mode, image.size) == ("L", (28, 28))
    again, _ = litmus("predict", str(run.path), "seen", "--json")
    for answer in map(json.loads, again.splitlines()):
        before = found[Path(answer["image"]).name.replace("-input", "")]
        assert answer["probabilities"] == pytest.approx(before["probabilities"], abs=1e-6)
        assert "fitted" not in answer.get("note", "")

    path = run.best  # as versions up to 0.1.0 wrote it
    checkpoint = torch.load(path, weights_only=True)
    del checkpoint["spec"]["input"]["strokes"]
    torch.save(checkpoint, path)
    older = answers(litmus, run)
    assert num_right(older) < 40
    assert "note" not in older["0-0.png"]


def test_images_of_one_name_are_saved_beside_one_another(train: Train, tmp_path: Path, litmus: Litmus) -> None:
    run = train("model=perceptron", "trainer.max_epochs=1", small=[*SMALL, "data.limit=40"])
    for folder, shade in (("a", 0), ("b", 255)):
        (tmp_path / folder).mkdir()
        pixels = np.full((28, 28), shade, np.uint8)
        Image.fromarray(pixels).save(tmp_path / folder / "x.png")
    out, _ = litmus("predict", str(run.path), "a", "b", "--show", "seen/here", "--json")
    paths = [Path(json.loads(line)["input"]) for line in out.splitlines()]
    assert paths == [Path("seen/here/x-input.png"), Path("seen/here/x-input-2.png")]
    assert [np.asarray(Image.open(path)).max() for path in paths] == [0, 255]
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit, match="file cannot be written"):
        main(["predict", str(run.path), "a", "--show", "file"])


@pytest.mark.usefixtures("tables")
def test_texts_have_no_inputs_to_save(train: Train) -> None:
    run = train("model=lstm", "trainer.max_epochs=1", small=[*ON_TABLE, "data.limit=90"])
    with pytest.raises(SystemExit, match="--show supports only images"):
        main(["predict", str(run.path), "good", "--show", "seen"])
