"""Runs on datasets of the hub: killed, resumed, evaluated, asked; with copies, and neither a hub nor its library."""

import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from faults import Fault, kill
from hub_sets import ON_HUB, ON_HUB_HOUSES, ON_HUB_PHOTOS

from litmus.record.folder import RunDir
from litmus.run.ending import ending

Train = Callable[..., RunDir]
FEW = ["trainer.max_epochs=1", "trainer.limit_batches=2"]
FORMS = {
    "texts": (["model=lstm", "model.widths=[8]", "model.embedding_size=8", *ON_HUB], ["a good film"]),
    "images": (["model=cnn", "model.widths=[4]", "model.dense=8", *ON_HUB_PHOTOS], ["data/hub/owner/photos/0.png"]),
    "table": (["model=fnn", "model.widths=[8]", *ON_HUB_HOUSES], ["house.csv"]),
}

pytestmark = pytest.mark.usefixtures("hub_copies")


@pytest.mark.parametrize("form", FORMS)
def test_a_run_is_evaluated_and_its_folder_alone_predicts(
    train: Train, litmus: Callable[..., tuple[str, str]], form: str, tmp_path: Path
) -> None:
    words, inputs = FORMS[form]
    run = train(*words, *FEW, small=[])
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    data = run.read_config()["data"]
    assert data["form"] == form
    assert result["data"] == "hub"
    config = "" if data["config"] == "default" else data["config"]
    assert result["dataset"]["source"] == f"hub: {data['name']}{config}, revision {data['revision']}"
    assert result["dataset"]["sha256"]
    litmus("evaluate", str(run.path))
    (tmp_path / "house.csv").write_text("area,garden,heating,sold,price\n80,true,gas,2024-03-01,900\n")
    shutil.rmtree(tmp_path / "data" / "hub-copies")
    answer = json.loads(litmus("predict", str(run.path), *inputs, "--json")[0].splitlines()[-1])
    assert answer


def test_a_stopped_run_trains_on_the_same_images(train: Train, resume: Train) -> None:
    words = [*FORMS["images"][0], "data.augment=light", "trainer.max_epochs=2", "data.batch_size=16"]
    whole = train(*words, small=[], folder="whole")
    run = train(*words, small=[], watching=[Fault(kill(signal.SIGINT), epoch=1, batch=1)])
    assert run.read_result()["status"] == "interrupted"
    shutil.rmtree("data/hub")  # the copy is what it trains on
    assert resume(run).read_result()["status"] == "finished"
    assert ending(run) == ending(whole)
