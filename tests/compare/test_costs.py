"""How long the runs took, by what became of them."""

from pathlib import Path

import pytest
from comparing import lr_of, rank, sweep
from made_runs import made


def test_every_second_is_counted_once(tmp_path: Path) -> None:
    times = {"startup": 1.0, "fit": 2.0, "test": 1.0}
    sweep(tmp_path, {0.001: [0.9, 0.91]}, seconds=times)
    for seed, status in enumerate(("diverged", "finished", "failed")):
        made(tmp_path / f"other-{seed}", "model=fnn", seed=seed, status=status, changes=lr_of(0.1), seconds=times)
    for seed in range(2):  # a setting that diverged on every seed is a row, and its runs are its own
        made(tmp_path / f"all-{seed}", "model=fnn", seed=seed, status="diverged", changes=lr_of(10.0), seconds=times)
    seconds = rank(tmp_path)[1].seconds
    assert min(seconds.values()) >= 0
    assert sum(value for name, value in seconds.items() if name != "total") == pytest.approx(seconds["total"])
    assert seconds["total"] == 28.0
