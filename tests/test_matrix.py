"""Every network on every dataset: it trains a few steps, or says in a sentence what would."""

import importlib
from collections.abc import Callable

import pytest
from conftest import CONF, ON_TABLE, ON_WAVE, SMALL, TINY, composed

from litmus.rundir import RunDir

MODELS = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
FEW = ["trainer.max_epochs=1", "trainer.limit_batches=3", "callback.dashboard.graph=false"]
DATA = {
    "mnist": ["data=mnist", *SMALL],
    "text_table": ON_TABLE,
    "text_table, numbers": [*ON_TABLE, "data.label=score"],
    "series": ON_WAVE,
}
GIVES = {"mnist": "Images", "text_table": "Tokens", "text_table, numbers": "Tokens", "series": "Series"}


def reads(model: str) -> set[str]:
    module, _, name = composed(f"model={model}")["model"]["_target_"].rpartition(".")
    return {kind.__name__ for kind in getattr(importlib.import_module(module), name).reads}


@pytest.mark.usefixtures("tables")
@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("model", MODELS)
def test_every_network_on_every_dataset(train: Callable[..., RunDir], model: str, data: str) -> None:
    run = train(f"model={model}", *TINY.get(model, []), *FEW, small=DATA[data])
    result = run.read_result()
    if GIVES[data] in reads(model):
        assert result["status"] == "finished", result["error"]
        assert (result["model"], result["data"]) == (model, data.partition(",")[0])
        assert result["steps"] == 3
        assert all(value is not None for value in result["metrics"].values())
    else:
        assert result["status"] == "failed"
        assert result["error"].startswith(f"model={model} reads ")
        assert " Try model=" in result["error"]


def test_every_dataset_is_in_the_matrix() -> None:
    """But sentiment: it is the same loader as text_table's, and its files are not here."""
    assert {name.partition(",")[0] for name in DATA} | {"sentiment"} == {p.stem for p in (CONF / "data").glob("*.yaml")}
