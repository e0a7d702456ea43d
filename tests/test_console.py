"""What is shown acts on no terminal, is short enough to read, and is whole where a program reads it."""

import ast
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import ROOT
from PIL import Image

from litmus import console
from litmus.cli.main import main
from litmus.console import printable, readable
from litmus.errors import UserError

HOSTILE = "\x1b[2J\x1b]0;gone\x07 \x9b31m \u202egpj.exe \r\b caf\udce9"
SHOWN = r"\x1b[2J\x1b]0;gone\x07 \x9b31m \u202egpj.exe \r\x08 caf\udce9"
ACTING = "\x1b\x07\x9b\u202e\r\b"


def acts(text: str) -> bool:
    return any(letter in text for letter in ACTING)


@pytest.fixture(params=[False, True], ids=["file", "terminal"])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """What was shown so far, without what a terminal is told about colors."""
    file = io.StringIO()
    made = console.Screen(file=file, force_terminal=request.param, color_system=None, width=200, soft_wrap=True)
    monkeypatch.setattr(console, "out", made)
    monkeypatch.setattr(console, "err", made)
    return lambda: file.getvalue().replace("\r\n", "\n")


def test_other_letters_are_shown_as_they_are() -> None:
    text = "caf\u00e9\u00a0\u4e2d\u6587 \U0001f468\u200d\U0001f469 \u0627\u0644\n\ttab"
    assert printable(text) == readable(text) == text


def test_names_and_messages_do_not_act_on_the_terminal(screen: Callable[[], str], tmp_path: Path) -> None:
    with console.log_to(tmp_path / "log"):
        console.say(HOSTILE)
        console.error(HOSTILE)
        console.table([HOSTILE, "b"], [[HOSTILE, 1.0]], title=HOSTILE)
        console.out.print(HOSTILE, markup=False)
        logging.getLogger("litmus").warning("%s", HOSTILE)
    assert not acts(screen())
    assert screen().count(r"\x1b[2J") == 7
    assert SHOWN in (tmp_path / "log").read_text(encoding="utf-8")
    assert not acts((tmp_path / "log").read_text(encoding="utf-8"))


def test_a_long_message_is_cut_and_the_log_has_it_whole(screen: Callable[[], str], tmp_path: Path) -> None:
    message = f"The header is wrong: {'x' * 5_000_000}. Set data.encoding."
    with console.log_to(tmp_path / "log"):
        console.say(message)
        console.error(message)
        logging.getLogger("litmus").warning(message)
    assert len(screen()) < 8_000
    assert screen().count("The header is wrong:") == screen().count("Set data.encoding.") == 3
    assert (tmp_path / "log").read_text().count(message) == 2


def test_a_run_s_long_error_is_cut_on_the_screen_and_in_its_result(
    train: Callable[..., object], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message = f"Wrong: {'y' * 5_000_000}. Do this."

    def refuse(*_: object) -> None:
        raise UserError(message)

    monkeypatch.setattr("litmus.run.train.prepare", refuse)
    run = train("model=fnn")
    assert len(capsys.readouterr().err) < 3_000
    error = run.read_result()["error"]
    assert error.startswith("Wrong: yyy")
    assert error.endswith("yyy. Do this.")
    assert len(error) < 3_000
    assert message in run.log.read_text()


def test_verbs_and_the_command_line_quote_nothing_that_acts(command: Callable) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["evaluate", "no\x1b[2Jwhere"])
    assert str(refused.value) == r"litmus evaluate: There is no folder no\x1b[2Jwhere."
    done = command(f"model={'c' * 3000}\x1b[2Jnn")
    assert done.returncode == 2
    assert not acts(done.stderr)
    assert len(done.stderr) < 3_000


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_json_is_exact(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr("sys.stdout", file)
    content = {"image": HOSTILE, "label": "caf\u00e9" + "x" * 5_000}
    console.json_line(content)
    file.flush()
    line = file.buffer.getvalue()
    assert json.loads(line) == content
    monkeypatch.undo()


def test_a_class_of_a_hostile_name_is_trained_and_predicted(
    train: Callable, litmus: Callable, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    names = ["\x1b[31mred", "blue"]
    for number, name in enumerate(names):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(20):
            Image.new("RGB", (8, 8), (200 * number, i, 0)).save(tmp_path / "photos" / name / f"{i}\x1b[2J.png")
    few = ["data.path=photos", "data.size=8", "trainer=cpu", "trainer.max_epochs=1"]
    run = train("model=fnn", "data=image_folder", *few, small=[])
    printed = capsys.readouterr()
    assert run.read_result()["status"] == "finished", run.read_result()["error"]
    assert r"\x1b[31mred" in printed.out
    assert "\x1b" not in printed.out + printed.err + run.log.read_text()
    image = Path("photos", "blue", "3\x1b[2J.png")
    out, err = litmus("predict", str(run.path), str(image))
    assert r"\x1b[2J" in out
    assert "\x1b" not in out + err
    out, _ = litmus("predict", str(run.path), str(image), "--json")
    assert json.loads(out)["image"] == str(image)
    assert set(json.loads(out)["probabilities"]) == set(names)


def test_only_the_console_makes_consoles() -> None:
    """Others would show what they are given as it is."""
    for path in (ROOT / "src").rglob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        made = [call.id if isinstance(call, ast.Name) else getattr(call, "attr", "") for call in calls]
        assert "Console" not in made, path
