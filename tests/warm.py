"""The command line without its start: a process that has imported it forks for each command.

`Warm` starts the process; run as a script, this file is that process. Neither imports torch, so that a command's
answer also tells whether it did.
"""

import gc
import json
import os
import pickle
import resource
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

HEAVY = ("torch", "lightning")
LIGHT = ("litmus.__main__", "litmus.compose.command_line", "litmus.cli.main", "pydantic", "rich.text")
TRAINING = "litmus.run.train"
POOL = "litmus.sweep.pool.worker"  # with which a process can fork a sweep's server as well
# What torch.export imports when it is called, in as many seconds as a fork then takes for all the rest.
EXPORT = ("torch._dynamo.utils", "torch.export", "torch._functorch.aot_autograd", "networkx")


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
        self,
        *words: str,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        timeout: float = 60,
        largest_file: int | None = None,
        kill: tuple[Path, float] | None = None,
    ) -> Answer:
        """Runs a command.

        Args:
            words: of the command line.
            folder: to run it in.
            environment: variables beside those of this process.
            timeout: in seconds; a command that takes longer is killed.
            largest_file: bytes that a file may have.
            kill: a file, and so many seconds after it is written, or written again, the command is killed.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"words": words, "folder": str(folder), "environment": dict(environment or {}), "timeout": timeout}
        asked |= {"largest_file": largest_file, "kill": kill and (str(kill[0]), kill[1])}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return Answer(*json.loads(self.process.stdout.readline()))

    def together(
        self,
        *words: str,
        folder: Path,
        ranks: Sequence[Mapping[str, str]],
        timeout: float = 60,
        when: tuple[Path, float] | None = None,
        signals: Mapping[int, int] | None = None,
    ) -> list[Answer]:
        """Runs the same command in several processes at the same time.

        Args:
            words: of the command line.
            folder: to run it in.
            ranks: variables of each process.
            timeout: in seconds; processes that take longer are killed.
            when: a file, and so many seconds after it is written, or written again, `signals` are sent; the seconds of
                each answer count from there.
            signals: to which processes, by their place in `ranks`.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"words": words, "folder": str(folder), "ranks": [dict(each) for each in ranks], "timeout": timeout}
        asked |= {"when": when and (str(when[0]), when[1]), "signals": list((signals or {}).items())}
        self.process.stdin.write(json.dumps(asked) + "\n")
        self.process.stdin.flush()
        return [Answer(*each) for each in json.loads(self.process.stdout.readline())]

    def close(self) -> None:
        """Ends the process."""
        self.process.communicate()


def _read_once() -> None:
    """Keeps each file of conf/ as Hydra has read it: reading all that a command chooses takes a third of its time."""
    from hydra._internal.core_plugins.file_config_source import FileConfigSource

    from litmus.config.conf import CONF

    read = FileConfigSource.load_config
    source = FileConfigSource("main", str(CONF))
    names = [str(path.relative_to(CONF)) for path in CONF.rglob("*.yaml")]
    kept = {name.removesuffix(".yaml"): pickle.dumps(read(source, name)) for name in names}

    def load(self: FileConfigSource, config_path: str) -> object:
        if self.path != source.path or config_path not in kept:
            return read(self, config_path)
        found = pickle.loads(kept[config_path])
        found.provider = self.provider
        return found

    FileConfigSource.load_config = load


def _warm_up() -> None:
    """Fills the caches of what every command does."""
    from hydra import compose, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra
    from omegaconf import OmegaConf

    from litmus.config.conf import CONF
    from litmus.config.preflight import preflight
    from litmus.config.validate import mistakes

    _read_once()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose("train"), resolve=True)
    GlobalHydra.instance().clear()
    assert isinstance(config, dict)
    del config["sweep"]
    mistakes(config)
    preflight(config)


class ForkedServer:
    """A sweep's server as `subprocess.Popen` starts it, but forked from a process that has imported what it would."""

    def __init__(
        self, command: Sequence[str], *, pass_fds: Sequence[int], env: Mapping[str, str], **how: object
    ) -> None:
        assert command[3] == "litmus.sweep.pool.server"
        self.status: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become(command[4:], pass_fds, env)
            except BaseException:
                traceback.print_exc()
            os._exit(1)

    def _become(self, words: Sequence[str], kept: Sequence[int], environment: Mapping[str, str]) -> None:
        from litmus.sweep.pool.server import serve

        os.setsid()
        os.environ.update(environment)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        first = 3  # after the standard streams
        for descriptor in sorted(kept):
            os.closerange(first, descriptor)
            first = descriptor + 1
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))
        serve(socket.socket(fileno=int(words[0])), words[1:])
        os._exit(0)

    def wait(self) -> int:
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.status

    def kill(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)


def _serve() -> None:
    for module in sys.argv[1:]:
        with suppress(ImportError) if module in EXPORT else nullcontext():  # it works without, only later
            __import__(module)
    _warm_up()
    if TRAINING in sys.modules:
        sys.path.append(str(Path(__file__).parent))
        from remembering import remember

        remember()
    gc.collect()
    gc.freeze()  # a fork then neither searches nor copies what it was given
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        answers.write(json.dumps(_together(**asked) if "ranks" in asked else _answer(**asked)) + "\n")
        answers.flush()


def _answer(
    words: list[str],
    folder: str,
    environment: dict[str, str],
    timeout: float,
    largest_file: int | None,
    kill: tuple[str, float] | None,
) -> Answer:
    moment = (Path(kill[0]), _written(Path(kill[0])), kill[1]) if kill else None
    began = time.perf_counter()
    child = _start(words, folder, environment, largest_file)
    status = _wait(child.pid, began + timeout, moment)
    return _printed(child, status, time.perf_counter() - began)


def _together(
    words: list[str],
    folder: str,
    ranks: list[dict[str, str]],
    timeout: float,
    when: tuple[str, float] | None,
    signals: list[tuple[int, int]],
) -> list[Answer]:
    before = _written(Path(when[0])) if when else 0
    children = [_start(words, folder, environment, None) for environment in ranks]
    began = time.perf_counter()
    ended: dict[int, tuple[int, float]] = {}
    moment, is_sent = began, False
    while len(ended) < len(children):
        for place, child in enumerate(children):
            if place not in ended and (found := os.waitpid(child.pid, os.WNOHANG))[0]:
                ended[place] = os.waitstatus_to_exitcode(found[1]), time.perf_counter() - moment
        if when and not is_sent and _written(Path(when[0])) > before:
            time.sleep(when[1])
            moment, is_sent = time.perf_counter(), True
            for place, number in signals:
                os.kill(children[place].pid, number)
        if time.perf_counter() > began + timeout:
            for place in set(range(len(children))) - set(ended):
                os.killpg(children[place].pid, signal.SIGKILL)
        time.sleep(0.002)
    return [_printed(child, *ended[place]) for place, child in enumerate(children)]


class _Child(NamedTuple):
    """A command that runs: its process, the files that it prints to, and a pipe that tells what it imported."""

    pid: int
    files: list[int]
    pipe: int


def _start(words: list[str], folder: str, environment: dict[str, str], largest_file: int | None) -> _Child:
    files = [os.memfd_create(name) for name in ("out", "err")]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(read)
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
        _run(words, folder, environment, files, write)
    os.close(write)
    return _Child(child, files, read)


def _printed(child: _Child, status: int, seconds: float) -> Answer:
    with os.fdopen(child.pipe) as pipe:
        imported = pipe.read() == "imported"
    printed = []
    for file in child.files:
        with os.fdopen(file, "rb") as content:
            content.seek(0)
            printed.append(content.read().decode("utf-8", "backslashreplace"))
    return Answer(printed[0], printed[1], status, imported, seconds)


def _written(path: Path) -> int:
    return path.stat().st_mtime_ns if path.is_file() else 0


def _wait(child: int, deadline: float, moment: tuple[Path, int, float] | None) -> int:
    """The exit status; a child that has not ended by then is killed, and whatever it started."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        if moment and _written(moment[0]) > moment[1]:
            deadline = time.perf_counter() + moment[2]
            moment = None
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
        os.fsync = lambda descriptor: None  # no power is lost in a test
        if POOL in sys.modules:
            from litmus.sweep.pool import client

            client.subprocess = SimpleNamespace(Popen=ForkedServer, DEVNULL=subprocess.DEVNULL)
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
