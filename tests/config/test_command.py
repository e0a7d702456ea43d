import shutil
import sys
from pathlib import Path

import pytest

from litmus.config.command import train_command

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
