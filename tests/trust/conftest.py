"""Fixtures of commands that somebody else, or nobody careful, typed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import world
from warm import LIGHT, Warm

HEAVY = (*LIGHT, "litmus.run.summary", "litmus.run.train", "litmus.inference.load", "litmus.compare.comparison")


@pytest.fixture(scope="session")
def light() -> Iterator[Warm]:
    """Runs commands in forks of a process without torch."""
    process = Warm()
    yield process
    process.close()


@pytest.fixture(scope="session")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warm]:
    """Runs commands in forks of a process that has imported torch, and reaches no other machine: see closed/."""
    process = Warm(HEAVY, [str(Path(__file__).parent / "closed")])
    yield process
    process.close()


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data, good and bad."""
    folder = tmp_path_factory.mktemp("world")
    world.write_files(folder)
    return folder


@pytest.fixture(scope="session")
def runs(files: Path, heavy: Warm) -> Path:
    """The same folder, with a run, and copies of it that are damaged."""
    run = world.train(heavy, files, "perceptron")
    run.rename(files / "run")
    world.damage_runs(files, files / "run")
    return files
