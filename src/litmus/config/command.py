"""How a training is started here, for messages that say what to type."""

import functools
import os
import shlex
import shutil
import sys
from pathlib import Path

SCRIPT, PROGRAM, VERB = "train.py", "litmus", "train"


def train_command(*words: str) -> str:
    """A command line that can be pasted.

    It begins as the one that was typed; a verb, or a sweep's job, has `python train.py` where that script lies in the
    current folder, and `litmus train` everywhere else. Where the shell would start another Python, or none, it has the
    path of this one: the environment was not activated.

    Args:
        words: the arguments, unquoted.
    """
    typed = Path(sys.argv[0])
    if typed.name == SCRIPT and typed.is_file():
        return shlex.join([_python(), sys.argv[0], *words])
    if _is_ours(Path(SCRIPT)):
        return shlex.join([_python(), SCRIPT, *words])
    return verb_command(VERB, *words)


def verb_command(*words: str) -> str:
    """A command line of a verb, `litmus compare outputs`, that can be pasted; as `train_command` where it is not found.

    Args:
        words: the verb and its arguments, unquoted.
    """
    program = [PROGRAM] if _is_found(PROGRAM) else [_python(), "-m", PROGRAM]
    return shlex.join([*program, *words])


def words_after(command: str) -> list[str] | None:
    """The arguments of a command that starts a training, on whichever machine; None for any other command."""
    try:
        words = shlex.split(command)
    except ValueError:  # a quote that is not closed
        return None
    names = [Path(word).name for word in words]
    if names[1:2] == [SCRIPT]:
        return words[2:]
    if names[:1] == [PROGRAM] and words[1:2] == [VERB]:
        return words[2:]
    return words[4:] if words[1:4] == ["-m", PROGRAM, VERB] else None


@functools.cache
def _python() -> str:
    """What one types for the Python that runs this."""
    name = next((each for each in ("python", "python3") if _is_found(each)), None)
    if name is not None or not sys.executable:
        return name or "python"
    # Not resolved: the link in an environment is what makes it one.
    path = Path(sys.executable)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _is_found(name: str) -> bool:
    """Whether the shell finds a program of this name beside the Python that runs this."""
    found, ours = shutil.which(name), os.path.realpath(Path(sys.executable).parent)
    if found is None:
        return False
    # The link to a Python is what makes an environment; that to a program may be a link to the environment's.
    linked = Path(os.path.realpath(found)).parent if name == PROGRAM else Path(found).parent
    return ours in (os.path.realpath(Path(found).parent), os.path.realpath(linked))


def _is_ours(script: Path) -> bool:
    try:
        return "litmus" in script.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
