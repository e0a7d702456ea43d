"""`data=hub`: the copies of the hub's datasets, which must be neither lost nor taken for others."""

import shutil
from pathlib import Path

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
