"""What docs/extending.md adds works: all of it is put into a copy of the repository, which then trains."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text()
BLOCKS = re.findall(r"^`(\S+)`\n\n```(python|yaml|toml|diff)\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
PACKAGE = "mixers/"  # outside of the repository: tests/test_plugins.py


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with every block of the page."""
    folder = tmp_path_factory.mktemp("extended")
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "train.py", folder)
    for name, kind, text in BLOCKS:
        if name.startswith(PACKAGE):
            continue
        path = folder / name
        if kind == "diff":
            path.write_text(patched(path.read_text(), text))
        else:
            assert not path.exists(), f"{name} exists already"
            path.write_text(text)
    return folder


def patched(content: str, diff: str) -> str:
    """A file with a diff's hunks, which `@@` separates; a line of context is the beginning of one of the file's."""
    lines = content.split("\n")
    for hunk in diff.split("@@\n"):
        edits = [(line[:1], line[1:]) for line in hunk.rstrip("\n").split("\n")]
        old = [text for sign, text in edits if sign != "+"]
        starts = range(len(lines) - len(old) + 1)
        places = [start for start in starts if all(map(str.startswith, lines[start:], old))]
        assert len(places) == 1, f"{old} is in {len(places)} places"
        (place,) = places
        for sign, text in edits:
            if sign == "+":
                lines.insert(place, text)
            elif sign == "-":
                assert lines.pop(place) == text
                continue
            place += 1
    return "\n".join(lines)


def run(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_section_has_its_code() -> None:
    _, *sections = PAGE.split("\n## ")
    assert len(sections) == 8
    assert all("```" in section for section in sections)
    assert len(BLOCKS) == PAGE.count("```") // 2, "each block names its file"


@pytest.mark.wide
def test_what_it_adds_trains_and_is_exported(extended: Path) -> None:
    words = ["model=softmax", "data=stripes", "optimizer=adagrad", "trainer=cpu", "trainer.max_epochs=2"]
    printed = run(extended, "train.py", *words, "callback.dashboard.graph=false", "hydra.run.dir=run")
    assert "training has ended" in printed
    result = json.loads((extended / "run" / "result.json").read_text())
    assert (result["status"], result["model"], result["data"]) == ("finished", "softmax", "stripes")
    assert result["metrics"]["test/acc"] == 1.0
    assert result["metrics"]["test/f1_worst"] == 1.0
    assert run(extended, "-m", "litmus", "status", "run") == "run finished\n"
    run(extended, "-m", "litmus", "export", "run", "--to", "torchscript")
    assert (extended / "run" / "export" / "model.ts").is_file()


def test_the_help_page_lists_it(extended: Path) -> None:
    printed = run(extended, "train.py", "--help")
    assert all(name in printed for name in ("softmax", "stripes", "adagrad", "announce"))
    assert "print how runs ended" in run(extended, "-m", "litmus", "--help")
