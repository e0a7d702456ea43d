"""Two hundred mistakes: each is answered in one clear sentence, with its exit status, and leaves nothing behind."""

import re
import shlex
from pathlib import Path
from string import Template
from typing import NamedTuple

import pytest
from helpers import ON_BOXES, ON_HOUSES, ON_TABLE, ON_WAVE, SMALL
from warm import Answer, Warm


class Mistake(NamedTuple):
    """A line of mistakes.txt."""

    flags: str
    status: int
    command: str
    said: str


LINE = re.compile(r"(?P<flags>[tf+]*) *(?P<status>\d) \| (?P<command>.*?) +\| (?P<said>.*)")
MISTAKES = [
    Mistake(found["flags"], int(found["status"]), found["command"], found["said"])
    for line in (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#") and (found := LINE.fullmatch(line.strip()))
]
SHORT = {
    "TABLE": " ".join(ON_TABLE),
    "COLUMNS": " ".join(ON_HOUSES),
    "SERIES": " ".join(ON_WAVE),
    "BOXES": " ".join(ON_BOXES),
    "DIGITS": " ".join(SMALL),
    "LONG": "n" * 300,
}


def test_every_line_is_read() -> None:
    text = (Path(__file__).parent / "mistakes.txt").read_text(encoding="utf-8")
    assert len(MISTAKES) == sum("|" in line and not line.startswith("#") for line in text.splitlines()) >= 200


def run(warm: Warm, command: str, folder: Path, cache: Path) -> Answer:
    """What the command answers in that folder."""
    words, environment = shlex.split(Template(command).safe_substitute(SHORT)), {"LITMUS_DATA": str(cache)}
    while re.fullmatch("[A-Z_]+=.*", words[0]):
        name, _, environment[name] = words.pop(0).partition("=")
    return warm(*words, folder=folder, environment=environment)


def listed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.wide
@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.command for mistake in MISTAKES])
def test_a_mistake_is_answered_in_a_sentence(
    mistake: Mistake, runs: Path, light: Warm, heavy: Warm, tmp_path: Path
) -> None:
    before = listed(runs)
    answer = run(heavy if "t" in mistake.flags else light, mistake.command, runs, tmp_path)
    assert mistake.said in answer.err
    assert answer.status == mistake.status
    assert "Traceback" not in answer.out + answer.err
    said = [line for line in answer.err.splitlines() if not line.startswith("WARNING")]
    assert len(said) <= 1 or "+" in mistake.flags, answer.err
    assert "t" in mistake.flags or not answer.imported
    assert "f" in mistake.flags or listed(runs) == before
