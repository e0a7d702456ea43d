"""Starts TensorBoard on the latest runs in a folder, and adds new runs while it is open."""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from litmus.cli._columns import ADDED_ROW, EXPERIMENT, experiment_file, row_file
from litmus.cli._options import count, port
from litmus.compare.collect import find_runs
from litmus.errors import UserError
from litmus.fetch import local
from litmus.record.events import PREFIX, ROW

INTERVAL_S = 2.0
MOST = 40  # runs; of more, TensorBoard draws none until they are ticked one by one
LINKED = (PREFIX, "plugins")  # how names of files begin, and of folders, that TensorBoard reads


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default="outputs", help="the runs' folder (outputs)")
    parser.add_argument("--runs", metavar="N", type=count, default=MOST, help=f"how many of the latest runs ({MOST})")
    parser.add_argument("--port", type=port, default=6006, help="port on localhost (6006)")


def main(arguments: argparse.Namespace) -> int:
    """Serves until it is stopped; gives TensorBoard's exit status.

    Raises:
        UserError: there is no such folder, or no run in it.
    """
    folder = local.without_links(local.expand(arguments.folder))
    if folder.is_file():
        raise UserError(f"{folder} is a file. Name a folder of runs, such as outputs.")
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.")
    runs, number = latest(folder, arguments.runs)
    if not runs:
        raise UserError(f"{folder} holds no run. Train one first, or name a folder of runs, such as outputs.")
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that `finally` also ends TensorBoard
    with tempfile.TemporaryDirectory() as place:
        view = Path(place)
        if number > len(runs):
            print(f"The latest {len(runs)} of {number} runs: --runs N shows more, litmus dashboard FOLDER others.")
        server = _start(view, arguments.port)
        try:
            columns = refresh(folder, view, runs)
            _let_read(server)
            while server.poll() is None:
                time.sleep(INTERVAL_S)
                before, columns = columns, refresh(folder, view, latest(folder, arguments.runs)[0])
                if columns != before:  # TensorBoard reads them once
                    server.terminate()
                    server.wait()
                    server = _start(view, arguments.port)
                    _let_read(server)
        finally:
            server.terminate()
        return server.wait()


def _start(view: Path, number: int) -> "subprocess.Popen[bytes]":
    """TensorBoard, which reads no run before it may: it is imported meanwhile."""
    # TensorBoard's fast loader draws some curves as single points.
    flags = ["--load_fast=false", "--reload_interval", "5", "--logdir", str(view), "--port", str(number)]
    return subprocess.Popen([sys.executable, "-P", "-m", "litmus.cli._tensorboard", *flags], stdin=subprocess.PIPE)


def _let_read(server: "subprocess.Popen[bytes]") -> None:
    assert server.stdin is not None
    with suppress(BrokenPipeError):  # it has ended
        server.stdin.close()


def latest(folder: Path, most: int) -> tuple[list[Path], int]:
    """The runs at or below a folder that were written to last, the latest first, and how many there are in all.

    Where there are none, such as among the mean curves of `litmus compare`, every folder with events counts as one.
    """
    found = {os.path.realpath(run): run for run in find_runs([folder])}
    runs = list(map(Path, found))
    if not runs:
        runs = sorted({path.parent.resolve() for path in folder.rglob(f"{PREFIX}*")})
    runs.sort(key=_written, reverse=True)
    return runs[:most], len(runs)


def _written(run: Path) -> float:
    """When the run last wrote an event; without any, when its folder was made."""
    times = [0.0]
    with suppress(OSError):  # it is being removed
        times += [entry.stat().st_mtime for entry in os.scandir(run) if entry.name.startswith(PREFIX)]
        times += [run.stat().st_mtime] if len(times) == 1 else []
    return max(times)


def refresh(folder: Path, view: Path, runs: Sequence[Path]) -> bytes | None:
    """Makes `view` show these runs, by links to what TensorBoard reads of each, and the columns of its HParams tab.

    Returns:
        The columns.
    """
    root = folder.resolve()
    names = {(view / (run.relative_to(root) if run != root else run.name)): run for run in runs}
    for place in {path.parent for path in view.rglob(f"{PREFIX}*")} - set(names):
        for link in place.iterdir():
            link.unlink()
        place.rmdir()
    for place, run in names.items():
        place.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # the run is being removed
            for entry in os.scandir(run):
                if entry.name.startswith(LINKED) and not (place / entry.name).is_symlink():
                    (place / entry.name).symlink_to(entry.path, target_is_directory=entry.is_dir())
        for link in place.iterdir():
            if link.is_symlink() and not link.exists():
                link.unlink()
        _add_row(place, run)
    columns = experiment_file(runs)
    if columns is not None and not any(path.read_bytes() == columns for path in view.rglob(EXPERIMENT)):
        for path in view.rglob(EXPERIMENT):
            path.unlink()
        (next(iter(names)) / EXPERIMENT).write_bytes(columns)
    return columns


def _add_row(place: Path, run: Path) -> None:
    """Gives a run that has ended a row of the HParams tab, if it wrote none itself: earlier versions did elsewhere."""
    added = place / ADDED_ROW
    if any(path != added for path in place.glob(f"{PREFIX}*{ROW}")):
        added.unlink(missing_ok=True)
    elif not added.exists() and (content := row_file(run)) is not None:
        added.write_bytes(content)
