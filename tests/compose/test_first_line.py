"""The screen is not empty while torch is imported: what is run, and what is being done, is said before."""

import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT, SMALL
from PIL import Image

from litmus import console

RUN = str(ROOT / "tests" / "earlier" / "fnn-mnist")
CHOICES = "model=fnn  data=mnist  task=classification  optimizer=adam  scheduler=one_cycle  trainer=cpu"
USED = f"model=fnn  data=mnist  {RUN}"
# A torch that says when it is imported, and ends the process.
TORCH = "import os\nos.write(1, b'TORCH\\n')\nos._exit(3)\n"
COMMANDS = [
    ([str(ROOT / "train.py"), "model=fnn", *SMALL], CHOICES),
    (
        [str(ROOT / "train.py"), "-m", "model=fnn", "seed=0,1", "sweep.name=s"],
        "sweep=grid  model=fnn  seed=0,1  sweep.",
    ),
    (["-m", "litmus", "predict", RUN, "digit.png"], USED),
    (["-m", "litmus", "evaluate", RUN], USED),
    (["-m", "litmus", "export", RUN, "--to", "onnx", "--out", "digits.onnx"], USED),
    (["-m", "litmus", "report", RUN], USED),
]


def shown(words: list[str], folder: Path, on_terminal: bool) -> str:
    """What a command shows until torch is imported."""
    (folder / "modules" / "torch").mkdir(parents=True)
    (folder / "modules" / "torch" / "__init__.py").write_text(TORCH)
    Image.new("L", (28, 28)).save(folder / "digit.png")
    ours, theirs = pty.openpty() if on_terminal else os.pipe()
    environment = {**os.environ, "PYTHONPATH": str(folder / "modules"), "COLUMNS": "200", "TERM": "xterm"}
    command = [sys.executable, *words]
    with open(theirs, "wb") as out:  # noqa: PTH123  # a descriptor
        subprocess.run(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.DEVNULL, check=False)
    text = b""
    while True:
        try:
            more = os.read(ours, 1 << 16)
        except OSError:  # what a terminal says at its end
            more = b""
        if not more:
            os.close(ours)
            return text.decode().replace("\r\n", "\n")
        text += more


@pytest.mark.parametrize(
    ("words", "task"),
    [
        (["data.target=kind"], ""),
        (["data.target=kind", "data.kind=numbers"], "task=regression  "),
        (["data.target=kind", "data.target_separator=+"], "task=multilabel  "),
    ],
)
def test_the_first_line_claims_no_task_that_only_the_data_knows(words: list[str], task: str, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("a,kind\n1,2.5\n2,3.5\n")
    typed = ["model=fnn", "data=table", "data.path=own.csv", *words, "trainer=cpu"]
    before = shown([str(ROOT / "train.py"), *typed], tmp_path, on_terminal=False)
    assert before.startswith(f"model=fnn  data=table  {task}optimizer=adam")
    assert "label_smoothing" not in before, "a key of the task that it may not be"


@pytest.mark.parametrize(("words", "first"), COMMANDS, ids=lambda words: words[2] if isinstance(words, list) else "")
def test_the_first_line_comes_before_torch(words: list[str], first: str, tmp_path: Path) -> None:
    before, imported, _ = shown(words, tmp_path, on_terminal=False).partition("TORCH")
    assert before.startswith(first)
    assert imported
    assert "importing" in before or "composing" in before, "the server of a sweep imports it while jobs are composed"


@pytest.mark.parametrize("words", [COMMANDS[0][0], COMMANDS[2][0]], ids=["train", "predict"])
def test_a_terminal_has_it_too(words: list[str], tmp_path: Path) -> None:
    before, imported, _ = shown(words, tmp_path, on_terminal=True).partition("TORCH")
    assert "model=fnn  data=mnist" in before.splitlines()[0]
    assert before.splitlines()[-1].endswith("importing PyTorch ...\x1b[0m"), "a line that the next replaces"
    assert imported


def test_json_is_for_programs(tmp_path: Path) -> None:
    assert shown([*COMMANDS[2][0], "--json"], tmp_path, on_terminal=False) == "TORCH\n"


def test_what_was_done_leaves_a_terminal(terminal: io.StringIO) -> None:
    with console.doing("reading"):
        assert terminal.getvalue().endswith("reading ...\x1b[0m")
        console.error("halfway")
        assert "\r\x1b[2K" in terminal.getvalue().partition("halfway")[0], "whatever is said replaces it"
    said = terminal.getvalue()
    with console.doing("reading"):
        pass
    assert terminal.getvalue().removeprefix(said).endswith("\r\x1b[2K")


def test_elsewhere_it_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with console.doing("reading"):
        console.say("read")
    assert capsys.readouterr().out == "reading ...\nread\n"
