"""Transcripts of README and docs/ are what their commands print: the same lines, with other numbers on smaller data."""

import importlib.util
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from comparing import run_compare
from helpers import ROOT
from made_runs import made
from PIL import Image

from litmus import console

Command = Callable[..., object]
MOST_STILL, MOST_MOVING = 200_000, 600_000  # bytes of a picture
SMALL_RUN = ("trainer=cpu", "callback.dashboard.pictures=false")


def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("transcripts", ROOT / "docs" / "transcripts.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["transcripts"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


transcripts = maker()
WRITTEN = {k: own for page in transcripts.PAGES for k, own in transcripts.written(page.read_text("utf-8")).items()}
BY_COMMAND = {each.commands[0]: each for each in transcripts.TRANSCRIPTS}


@pytest.fixture
def printed(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """What a command prints in a terminal without colors, in a folder that `transcripts.prepare` has filled."""
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    transcripts.prepare(tmp_path)

    def run(typed: str, *small: str) -> str:
        program, *words = transcripts.words(typed)
        done = command(*words[program == "python" :], *small, script="litmus" if program == "litmus" else "train.py")
        return done.stdout + done.stderr

    return run


def test_every_transcript_says_which_command_made_it() -> None:
    assert set(WRITTEN) == set(BY_COMMAND)


def test_mistakes_are_answered_as_it_says(printed: Callable[..., str]) -> None:
    of_mistakes = BY_COMMAND["python train.py model.dropot=0.5"]
    made = transcripts.block(of_mistakes, [printed(typed) for typed in of_mistakes.commands])
    assert made == WRITTEN[of_mistakes.commands[0]], "make docs writes it again"


TRAINED = [first for first in BY_COMMAND if "dropo" not in first]  # neither mistakes nor the comparison


@pytest.mark.wide
@pytest.mark.parametrize("first", TRAINED)
def test_it_is_current(first: str, printed: Callable[..., str]) -> None:
    each = BY_COMMAND[first]
    for typed in each.before:
        printed(typed, *each.small, *SMALL_RUN)
    outputs = [printed(typed, *(each.small + SMALL_RUN) * ("train.py" in typed)) for typed in each.commands]
    assert transcripts.form(transcripts.block(each, outputs)) == transcripts.form(WRITTEN[first]), "make docs"


def test_the_comparison_is_current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of made-up runs; the rows are theirs, the names of columns and the legend are not."""
    (first,) = (first for first in BY_COMMAND if first.startswith("litmus compare"))
    folder, file = tmp_path / "outputs" / "sweeps" / "dropout", io.StringIO()
    for number, value in enumerate((0.96, 0.95, 0.2)):
        for seed in range(3):
            changes = {"model": {"dropout": number / 4, "widths": [number]}, "trainer": {"max_epochs": 5 + number}}
            changes["trainer"]["precision"] = ("bf16-mixed", "32")[number % 2]
            model = f"model={('cnn', 'fnn')[number % 2]}"
            made(folder / f"{number}-{seed}", model, value=value + seed / 1000, seed=seed, changes=changes)
    options = {"force_terminal": True, "color_system": None, "width": BY_COMMAND[first].columns, "soft_wrap": True}
    monkeypatch.setattr(console, "out", console.Screen(file=file, **options))
    assert run_compare(folder, "--no-figures") == 0
    ours, shown = (
        [line for line in transcripts.form(text) if line.startswith(("mnist, val/acc", "# model", "Mean over"))]
        for text in (file.getvalue(), WRITTEN[first])
    )
    assert ours[:3] == shown[:3] == ["mnist, val/acc", *ours[1:2], "Mean over"]


def test_forms_tell_lines_apart() -> None:
    line = "epoch  1/10  val/acc 0.9332 loss 0.2090"
    assert transcripts.form(line) == transcripts.form(line.replace("0.9332", "1")) == ["epoch #/# val/acc # loss #"]
    assert transcripts.form(line) != transcripts.form(line.replace("loss", "f1"))
    assert transcripts.form("run folder   a") == ["run folder"] != transcripts.form("folder       a")
    assert transcripts.form("4        0.9  0.8") == transcripts.form("9        0.1  0.2")


def test_pictures_are_there_small_and_shown() -> None:
    shown = [
        page.parent / name
        for page in transcripts.PAGES
        for name in re.findall(r"\]\(([\w/]+\.(?:png|gif))\)", page.read_text(encoding="utf-8"))
    ]
    assert {"report.png", "tensorboard.png", "hparams.png", "curves.png", "terminal.gif"} <= {own.name for own in shown}
    for path in shown:
        assert path.stat().st_size < (MOST_MOVING if path.suffix == ".gif" else MOST_STILL), path
        assert Image.open(path).width >= 300, path


def test_findings_are_shown_as_they_are_printed() -> None:
    shown = [line for block in WRITTEN.values() for line in block.splitlines() if line.startswith("doctor  ")]
    assert shown
    assert all(re.match(r"doctor {7}(finds nothing|[A-Z][^:]* \((info|warning|severe)\): )", line) for line in shown)


def test_no_path_of_a_machine_is_shown() -> None:
    for block in WRITTEN.values():
        assert "/tmp" not in block
        assert str(Path.home()) not in block
