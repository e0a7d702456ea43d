"""How a training is started here, for messages that say what to type."""

import shlex
import sys
from pathlib import Path

SCRIPT = "train.py"


def train_command(*words: str) -> str:
    """A command line that can be pasted.

    It begins as the one that was typed; a verb, or a sweep's job, has `python train.py` where that script lies in the
    current folder, and `litmus train` everywhere else.

    Args:
        words: the arguments, unquoted.
    """
    typed = Path(sys.argv[0])
    if typed.name == SCRIPT and typed.is_file():
        return shlex.join(["python", sys.argv[0], *words])
    return shlex.join([*(["python", SCRIPT] if _is_ours(Path(SCRIPT)) else ["litmus", "train"]), *words])


def _is_ours(script: Path) -> bool:
    try:
        return "litmus" in script.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
