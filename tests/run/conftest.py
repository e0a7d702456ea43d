"""Fixtures of runs on images."""

from pathlib import Path

import numpy as np
import pytest
from helpers import COLORS
from PIL import Image


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
