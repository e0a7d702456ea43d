"""Peak memory of `python train.py model=cnn`, of a series of ten million rows, and of a million texts."""

import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from bench._common import markdown, peak_gb_of_command, spread

NUM_ROWS = 10_000_000
NUM_TEXTS, NUM_WORDS = 1_000_000, 12  # about 70 bytes each


def measure() -> str:
    figures = [peak_gb_of_command("model=cnn") for _ in range(3)]
    rows = [("`python train.py model=cnn`, the whole process", spread(figures, 2), "at most 1.5")]
    short = ("model=lstm", "data=series", "trainer.max_epochs=1", "data.limit=4000", "data.limit_eval=1000")
    rows.append(("`model=lstm data=series`, the sunspots", f"{peak_gb_of_command(*short):.2f}", ""))
    with tempfile.TemporaryDirectory() as folder:
        for kind, path in _write(Path(folder)).items():
            found = peak_gb_of_command(*short, f"data.path={path}")
            rows.append((f"the same, {NUM_ROWS:,} minutes with dates, {kind}", f"{found:.2f}", ""))
        path = _write_texts(Path(folder, "texts.csv"))
        table = ("data=text_table", f"data.path={path}", "data.text=text", "data.label=label", *short[2:])
        found = peak_gb_of_command("model=lstm", *table)
        size = path.stat().st_size / 1e9
        rows.append((f"`model=lstm data=text_table`, {NUM_TEXTS:,} texts, {size:.2f} GB of CSV", f"{found:.2f}", ""))
    return "## Peak memory\n\n" + markdown(("", "GB", "target"), rows)


def _write(folder: Path) -> dict[str, Path]:
    """A random walk, as two files."""
    first = datetime(2000, 1, 1)
    dates = pl.datetime_range(first, first + timedelta(minutes=NUM_ROWS - 1), interval="1m", eager=True)
    values = np.random.default_rng(0).normal(size=NUM_ROWS).cumsum().round(3)
    frame = pl.DataFrame({"date": dates, "value": values})
    paths = {"CSV": folder / "walk.csv", "Parquet": folder / "walk.parquet"}
    frame.write_csv(paths["CSV"])
    frame.write_parquet(paths["Parquet"])
    return paths


def _write_texts(path: Path) -> Path:
    """Texts of words at random."""
    generator = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        file.write("text,label\n")
        for words in generator.integers(5000, size=(NUM_TEXTS, NUM_WORDS)).tolist():
            file.write(f"{' '.join(f'w{word}' for word in words)},{'ab'[words[0] % 2]}\n")
    return path
