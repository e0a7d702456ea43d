"""Starts TensorBoard on all runs in a folder, and adds new runs while it is open."""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from litmus.errors import UserError
from litmus.record.folder import CONFIGS

INTERVAL_S = 2.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("folder", metavar="FOLDER", nargs="?", default="outputs", help="the runs' folder (outputs)")
    parser.add_argument("--port", type=int, default=6006, help="port on localhost (6006)")


def main(arguments: argparse.Namespace) -> int:
    """Serves until it is stopped; gives TensorBoard's exit status.

    Raises:
        UserError: there is no such folder.
    """
    folder = Path(arguments.folder)
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.")
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that `finally` also ends TensorBoard
    with tempfile.TemporaryDirectory() as view:
        # TensorBoard's fast loader draws some curves as single points.
        flags = ["--load_fast=false", "--logdir", view, "--port", str(arguments.port)]
        refresh(folder, Path(view))
        server = subprocess.Popen([sys.executable, "-P", "-m", "tensorboard.main", *flags])
        try:
            while server.poll() is None:
                time.sleep(INTERVAL_S)
                refresh(folder, Path(view))
        finally:
            server.terminate()
        return server.wait()


def refresh(folder: Path, view: Path) -> None:
    """Links everything in `folder` from `view`, except links: `latest` would show a run twice."""
    is_run = any((folder / name).is_file() for name in CONFIGS)
    for child in [folder.resolve()] if is_run else folder.iterdir():
        link = view / child.name
        if child.is_dir() and not child.is_symlink() and not link.is_symlink():
            link.symlink_to(child.resolve(), target_is_directory=True)
