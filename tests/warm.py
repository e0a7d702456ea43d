"""The command line without its start: a process that has imported it forks for each command.

`Warm` starts the process; run as a script, this file is that process. Neither imports torch, so that a command's
answer also tells whether it did.
"""

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

HEAVY = ("torch", "lightning")
LIGHT = ("litmus.__main__", "litmus.compose.command_line", "litmus.cli.main", "pydantic", "rich.text")


class Answer(NamedTuple):
    """What a command did: what it printed, its exit status (negative: a signal), and whether it imported torch."""

    out: str
    err: str
    status: int
    imported: bool
    seconds: float


class Warm:
    """Runs `litmus ...` in forks of one process.

    Args:
        modules: that it imports first.
        path: of more modules.
    """

    def __init__(self, modules: Sequence[str] = LIGHT, path: Sequence[str] = ()) -> None:
        command = [sys.executable, "-P", __file__, *modules]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __call__(
        self, *words: str, folder: Path, environment: Mapping[str, str] | None = None, timeout: float = 60
    ) -> Answer:
        """Runs a command in a folder; one that takes longer than the timeout, in seconds, is killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"words": words, "folder": str(folder), "environment": dict(environment or {}), "timeout": timeout}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return Answer(*json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate()


def _warm_up() -> None:
    """Fills the caches of what every command does."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    from litmus.config.conf import CONF
    from litmus.config.preflight import preflight
    from litmus.config.validate import mistakes

    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("train"), resolve=True)
    GlobalHydra.instance().clear()
    assert isinstance(config, dict)
    del config["sweep"]
    mistakes(config)
    preflight(config)


def _serve() -> None:
    for module in sys.argv[1:]:
        __import__(module)
    _warm_up()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(_answer(**json.loads(line))) + "\n")
        answers.flush()


def _answer(words: list[str], folder: str, environment: dict[str, str], timeout: float) -> Answer:
    files = [os.memfd_create(name) for name in ("out", "err")]
    read, write = os.pipe()
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(read)
        _run(words, folder, environment, files, write)
    os.close(write)
    status = _wait(child, began + timeout)
    seconds = time.perf_counter() - began
    with os.fdopen(read) as pipe:
        imported = pipe.read() == "imported"
    printed = []
    for file in files:
        with os.fdopen(file, "rb") as content:
            content.seek(0)
            printed.append(content.read().decode("utf-8", "backslashreplace"))
    return Answer(printed[0], printed[1], status, imported, seconds)


def _wait(child: int, deadline: float) -> int:
    """The exit status; a child that has not ended by then is killed, and whatever it started."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if time.perf_counter() > deadline:
            os.killpg(child, signal.SIGKILL)
            deadline = float("inf")
        time.sleep(0.002)


def _run(words: list[str], folder: str, environment: dict[str, str], files: list[int], pipe: int) -> None:
    """Runs the command in this process, and ends it."""
    status = 0
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        for file, standard in zip((nothing, *files), (0, 1, 2), strict=True):
            os.dup2(file, standard)
        os.chdir(folder)
        os.environ.update(environment)
        sys.argv = ["litmus", *words]
        from litmus.__main__ import main

        main()
    except SystemExit as ended:  # as Python itself does
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        status = 1
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        if set(HEAVY) & set(sys.modules):
            os.write(pipe, b"imported")
        os._exit(status)


if __name__ == "__main__":
    _serve()
