"""`data=hub`: the copies of the hub's datasets, which must be neither lost nor taken for others."""

import errno
import shutil
from pathlib import Path
from typing import Any

import fake_hub
import pytest
from helpers import composed
from hub_sets import HUB, ROWS, prepared, refused, write, write_sets

from litmus.config.preflight import preflight


def test_files_that_are_gone_are_not_the_hub_s_of_that_name() -> None:
    write("reviews", splits={"train": ROWS})
    first = prepared("data.name=reviews")
    write_sets(Path("served"))
    shutil.rmtree(HUB)
    wanted = f"data.revision={first.chosen['revision']}"
    served = Path("served").absolute()
    assert prepared("data.name=reviews", wanted, served=served).splits == first.splits
    shutil.rmtree(first.copy.folder)
    said = f"The files of {wanted} are not in"
    assert said in refused("data.name=reviews", wanted, served=served)
    assert said in preflight(composed("data=hub", "model=lstm", "data.name=reviews", wanted))[0]


def test_what_cannot_be_read_is_not_said_to_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    write("films")

    def fails(*_: object) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", "data/hub/films/train.parquet")

    with monkeypatch.context() as patch:
        patch.setattr(fake_hub.Dataset, "iter", fails)
        said = refused("data.name=films")
    assert said == (
        "data.name=films cannot be read: data/hub/films/train.parquet: Permission denied (PermissionError)."
    )
    monkeypatch.setattr("pathlib.Path.rename", fails)
    assert refused("data.name=films") == "data/hub/films/train.parquet cannot be written to: Permission denied."
    assert not [*Path("data/hub-copies").iterdir()], "nothing is left behind"
