"""What the verbs import: a network that predicts needs no library for training."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from helpers import CONF, ON_TABLE, SMALL
from PIL import Image

from litmus.config.instantiate import defaults
from litmus.record.folder import RunDir

# One process for all networks: what the first imports, the others find.
CODE = """
import sys
from litmus.cli.main import main
def answered(run, *words):
    try:
        main(words)
    except SystemExit as ended:
        assert not ended.code, (words, ended.code)
    print("IMPORTED", *sorted({"lightning", "pytorch_lightning", "torchmetrics"} & set(sys.modules)), "BY", run)
for run, what in zip(sys.argv[1::2], sys.argv[2::2]):
    answered(run, "predict", run, what)
answered("export", "export", sys.argv[1], "--to", "torch")
"""
# The others are networks of other libraries, which import what they like.
OWN = [path.stem for path in sorted((CONF / "model").glob("*.yaml")) if "weights" not in defaults("model", path.stem)]


def test_the_networks_of_litmus_itself_are_among_the_cases() -> None:
    assert {"cnn", "fnn", "lstm"} <= set(OWN)


@pytest.mark.wide
@pytest.mark.usefixtures("tables")
def test_predict_and_export_import_no_lightning(train: Callable[..., RunDir]) -> None:
    Image.new("L", (28, 28)).save("digit.png")
    words = []
    for name in OWN:
        small, what = (ON_TABLE, "a superb film") if name == "lstm" else ([*SMALL, "data.limit=40"], "digit.png")
        run = train(f"model={name}", "trainer.max_epochs=1", small=small, folder=name)
        words += [run.path.name, what]
    done = subprocess.run([sys.executable, "-c", CODE, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = [line for line in done.stdout.splitlines() if line.startswith("IMPORTED")]
    assert found == [f"IMPORTED BY {name}" for name in (*OWN, "export")]
