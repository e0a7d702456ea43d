"""`data.limit`, `data.limit_eval` and `data.split_seed` mean the same in every dataset."""

from collections.abc import Callable

import pytest
from every_data import DATA, content, prepared
from helpers import CONF, composed

from litmus.config.keys import choice
from litmus.config.validate import signature
from litmus.record.folder import RunDir

SPLITTING = sorted(set(DATA) - {"series"})  # at random

pytestmark = pytest.mark.usefixtures("tables", "image_files", "snippets", "published", "hub_copies")


def test_every_dataset_is_here() -> None:
    assert sorted(DATA) == sorted(path.stem for path in (CONF / "data").glob("*.yaml"))
    for name in DATA:
        keys = signature(composed(f"data={name}")["data"]["_target_"])
        assert {"limit", "limit_eval"} <= set(keys)
        assert ("split_seed" in keys) == (name in SPLITTING)


@pytest.mark.wide
@pytest.mark.parametrize("name", DATA)
def test_a_limit_cuts_the_training_alone(name: str) -> None:
    whole = prepared(name).sizes
    assert prepared(name, "data.limit=30").sizes == {**whole, "train": 30}
    assert prepared(name, "data.limit_eval=3").sizes == {"train": whole["train"], "val": 3, "test": 3}


@pytest.mark.wide
@pytest.mark.parametrize("name", SPLITTING)
def test_a_split_has_a_seed_of_its_own(name: str) -> None:
    def splits(*overrides: str) -> list[object]:
        data = prepared(name, *overrides)
        return [content(data, split) for split in ("train", "val", "test")]

    given = name == "yolo_dataset"  # its splits are those of the files
    assert splits("seed=1", "data.split_seed=7") == splits("seed=2", "data.split_seed=7") == splits("seed=7")
    assert (splits("seed=1") == splits("seed=2")) == given
    if given:
        limited = ["data.limit=30"]
        assert splits("seed=1", "data.split_seed=7", *limited) == splits("seed=7", *limited)
        assert splits("seed=1", *limited) != splits("seed=2", *limited)


def test_runs_of_two_seeds_on_one_split_learn_differently(train: Callable[..., RunDir]) -> None:
    runs = [train("model=fnn", "data.split_seed=5", f"seed={seed}", folder=str(seed)) for seed in (1, 2)]
    first, second = (run.read_result() for run in runs)
    assert first["status"] == second["status"] == "finished"
    assert first["metrics"] != second["metrics"]


def test_the_run_of_an_earlier_version_keeps_its_limit(train: Callable[..., RunDir]) -> None:
    run = train("model=fnn")
    path = run.path / "config.yaml"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "limit_eval" not in line and "split_seed" not in line))
    data = run.read_config()["data"]
    assert (data["limit"], data["limit_eval"], data["split_seed"]) == (400, 400, None)
    assert choice(run.read_config(), "data") == "mnist"
