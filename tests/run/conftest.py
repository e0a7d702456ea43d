"""Fixtures of runs on images, and of runs in several processes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from helpers import COLORS
from PIL import Image
from tasks import tasks
from warm import Answer, Warm


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Writes photos/, images that anyone could tell apart, in folders by color."""
    generator = np.random.default_rng(0)
    for name, color in COLORS.items():
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(20):
            noise = generator.integers(-30, 30, (40, 50, 3))
            pixels = np.clip(np.array(color) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    return tmp_path / "photos"


@pytest.fixture
def srun(tmp_path: Path, imported: Warm) -> Callable[..., list[Answer]]:
    """Runs `litmus train ...` in several tasks of SLURM, as often as it has requeued them before."""

    def run(*words: str, number: int = 2, nodes: int = 1, restarts: int = 0, **how: object) -> list[Answer]:
        home = {"COLUMNS": "100", "HOME": str(tmp_path / "home"), "LITMUS_DATA": str(tmp_path / "data")}
        home["SLURM_RESTART_COUNT"] = str(restarts)
        return imported.together(
            *words, folder=tmp_path, ranks=[home | each for each in tasks(number, nodes)], timeout=100, **how
        )

    return run
