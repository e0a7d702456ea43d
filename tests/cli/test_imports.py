"""What the verbs import: a network that predicts needs no library for training."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from helpers import CONF, ON_TABLE, SMALL
from PIL import Image

from litmus.config.instantiate import defaults
from litmus.record.folder import RunDir

CODE = """
import sys
from litmus.cli.main import main
for words in (["predict", *sys.argv[1:]], ["export", sys.argv[1], "--to", "torch"]):
    try:
        main(words)
    except SystemExit as ended:
        assert not ended.code, ended.code
print("IMPORTED", *sorted({"lightning", "pytorch_lightning", "torchmetrics"} & set(sys.modules)))
"""
# The others are networks of other libraries, which import what they like.
OWN = [path.stem for path in sorted((CONF / "model").glob("*.yaml")) if "weights" not in defaults("model", path.stem)]


def test_the_networks_of_litmus_itself_are_among_the_cases() -> None:
    assert {"cnn", "fnn", "lstm"} <= set(OWN)


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("name", OWN)
def test_predict_and_export_import_no_lightning(name: str, train: Callable[..., RunDir]) -> None:
    if name == "lstm":
        run, what = train(f"model={name}", "trainer.max_epochs=1", small=ON_TABLE), "a superb film"
    else:
        run, what = train(f"model={name}", "trainer.max_epochs=1", small=[*SMALL, "data.limit=40"]), "digit.png"
        Image.new("L", (28, 28)).save(what)
    command = [sys.executable, "-c", CODE, str(run.path), what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "IMPORTED"
