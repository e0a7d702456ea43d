import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from litmus.config import command as commands
from litmus.config.command import train_command, verb_command, words_after

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("typed", "here", "command"),
    [
        ("/bin/litmus", None, "litmus train"),
        ("/bin/litmus", "litmus", "python train.py"),
        ("/bin/litmus", "other", "litmus train"),
        ("train.py", "litmus", "python train.py"),
        (str(ROOT / "train.py"), None, f"python {ROOT / 'train.py'}"),
    ],
)
def test_it_begins_as_what_was_typed(
    typed: str, here: str | None, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if here == "litmus":
        shutil.copy(ROOT / "train.py", tmp_path)
    elif here == "other":
        (tmp_path / "train.py").write_text("print('somebody else')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [typed])
    assert train_command("-m", "resume=a b") == f"{command} -m 'resume=a b'"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of programs, the only one in which the shell looks."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["litmus"])
    commands._python.cache_clear()
    yield folder
    commands._python.cache_clear()


@pytest.mark.parametrize(
    ("found", "script", "litmus"),
    [
        (["python", "python3", "litmus"], "python train.py", "litmus train"),
        (["python3"], "python3 train.py", "python3 -m litmus train"),
        ([], "bin/python3.99 train.py", "bin/python3.99 -m litmus train"),
    ],
)
def test_it_starts_this_python(
    found: list[str], script: str, litmus: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(path / "python3.99"))
    for name in found:
        (path / name).touch(mode=0o755)
    assert train_command("seed=1") == f"{litmus} seed=1"
    shutil.copy(ROOT / "train.py", path.parent)
    assert train_command("seed=1") == f"{script} seed=1"
    for command in (script, litmus):
        assert words_after(f"{command} seed=1 'data.path=a b'") == ["seed=1", "data.path=a b"]


def test_a_program_may_be_a_link_to_the_environment_s(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "environment" / "bin"
    own.mkdir(parents=True)
    (own / "litmus").touch(mode=0o755)
    (path / "litmus").symlink_to(own / "litmus")
    monkeypatch.setattr(sys, "executable", str(own / "python"))
    assert verb_command("compare", "a b") == "litmus compare 'a b'"


def test_another_python_in_the_path_is_not_meant(path: Path) -> None:
    (path / "python").touch(mode=0o755)
    assert train_command() == f"{sys.executable} -m litmus train"
