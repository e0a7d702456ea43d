"""Every network on every dataset: it trains a few steps, or says in a sentence what would."""

import functools
import importlib
import signal
from collections.abc import Callable

import pytest
from covering import cover, covering
from faults import Fault, kill
from helpers import (
    CONF,
    MODELS,
    ON_BOXES,
    ON_HOUSES,
    ON_LISTED,
    ON_PHOTOS,
    ON_SCENES,
    ON_TABLE,
    ON_WAVE,
    SMALL,
    TINY,
    composed,
)
from pages import check_page
from published import ON_CIFAR

from litmus.cli.main import main
from litmus.record import explanations
from litmus.record.baselines import BASELINES
from litmus.record.folder import RunDir
from litmus.record.metrics import available_metrics
from litmus.run.ending import ending

Train = Callable[..., RunDir]
PICTURES = "callback.dashboard.pictures=true"
MOST_MISSED = 0.1  # of what the parts of an explanation should add up to: outputs hardly differ after three steps
REFERENCES = tuple(f"val/{name}_" for name in BASELINES)  # which no setting moves
FEW = ["trainer.max_epochs=1", "trainer.limit_batches=3"]
DATA = {
    "mnist": ["data=mnist", *SMALL, "task.baselines=true"],
    "cifar10": ON_CIFAR,
    "text_table": ON_TABLE,
    "text_table, numbers": [*ON_TABLE, "data.label=score"],
    "text_table, labels": [*ON_TABLE, "data.path=mails.csv", "data.label=tags", "data.target_separator=|"],
    "toy": ["data=toy", "data.samples=200", "trainer=cpu"],
    "table": ON_HOUSES,
    "table, numbers": [*ON_HOUSES, "data.target=[price,rooms]"],
    "table, labels": [*ON_HOUSES, "data.path=tagged.csv", "data.target=tags", "data.target_separator=|"],
    "series": ON_WAVE,
    "image_folder": ON_PHOTOS,
    "image_folder, numbers": [*ON_LISTED, "data.label=[brightness,share]"],
    "image_folder, labels": [*ON_LISTED, "data.label=tags", "data.target_separator=|"],
    "mnist_boxes": ON_SCENES,
    "yolo_dataset": ON_BOXES,
}
# What a network must read, and answer with.
PROVIDES = {
    "mnist": ("Images", "Classes"),
    "cifar10": ("Images", "Classes"),
    "text_table": ("Tokens", "Classes"),
    "text_table, numbers": ("Tokens", "Values"),
    "text_table, labels": ("Tokens", "Labels"),
    "toy": ("Columns", "Classes"),
    "table": ("Columns", "Classes"),
    "table, numbers": ("Columns", "Values"),
    "table, labels": ("Columns", "Labels"),
    "series": ("Series", "Values"),
    "image_folder": ("Images", "Classes"),
    "image_folder, numbers": ("Images", "Values"),
    "image_folder, labels": ("Images", "Labels"),
    "mnist_boxes": ("Images", "Boxes"),
    "yolo_dataset": ("Images", "Boxes"),
}


@functools.cache
def kinds(model: str) -> tuple[set[str], set[str]]:
    """The names of the kinds of input that the network takes, and of the targets that it predicts."""
    module, _, name = composed(f"model={model}")["model"]["_target_"].rpartition(".")
    net = getattr(importlib.import_module(module), name)
    return {kind.__name__ for kind in net.input_kinds}, {kind.__name__ for kind in net.target_kinds}


def check_baselines(result: dict, target: str) -> None:
    """They stand beside the test's metrics, or the result says why there are none; the same for `skill`."""
    metrics, said = result["metrics"], result["baselines"]
    if target == "Boxes":
        assert said == {"best": None, "beaten": None, "notes": ["There are no baselines for boxes."]}
        return
    measured = {name for name in BASELINES if any(each.startswith(f"test/{name}_") for each in metrics)}
    assert measured & {"logistic", "ridge"}
    assert measured & {"majority", "mean", "naive"}
    assert said["best"] in measured
    assert "test/skill" in metrics or any("There is no skill" in note for note in said["notes"])
    assert said["beaten"] == (metrics.get("test/skill", 0.0) > 0)


PAIRS = [
    (model, data)
    for model in MODELS
    for data, (given, target) in PROVIDES.items()
    if given in kinds(model)[0] and target in kinds(model)[1]
]


EACH = cover(PAIRS)


def words_for(model: str) -> list[str]:
    batches = ["data.batch_size=16", "data.eval_batch_size=16"]
    return [f"model={model}", *TINY.get(model, []), *FEW, "scheduler=none", *batches]


def check_whole(run: RunDir, model: str, data: str) -> None:
    """What a run of three epochs of three steps has to show."""
    result, target = run.read_result(), PROVIDES[data][1]
    assert result["status"] == "finished", result["error"]
    assert (result["model"], result["data"]) == (model, data.partition(",")[0])
    assert result["steps"] == 9
    health = run.read_health()
    assert [row["epoch"] for row in health["epochs"]] == [0, 1, 2, 3]
    assert any(value is not None for value in health["epochs"][1]["update"])
    assert all(finding["evidence"] for finding in result["findings"])
    assert all(value is not None for value in result["metrics"].values())
    known = available_metrics(run.read_config()["task"]["_target_"])
    check_baselines(result, target)
    check_page(run.page)
    shown = {".png", ".gif"} if (run.path / "boundaries.npz").exists() else {".png"}
    assert {path.suffix for path in (run.path / "pictures").iterdir()} == shown
    row = run.read_metrics()[-1]  # of a series there is an epoch 0, too
    own = {name for name in row if not name.startswith(REFERENCES)} - {"epoch", "step"}
    if target == "Values":  # several of them have errors of their own, too
        own -= {name for name in own if name.partition("_")[0].partition("/")[2] in ("rmse", "mae") and "_" in name}
    assert own <= set(known)
    check_explained(run, target)


def check_explained(run: RunDir, target: str) -> None:
    """Some test samples have explanations, on the page, too; but of a detector that finds nothing yet."""
    with pytest.raises(SystemExit) as ended:
        main(["explain", str(run.path)])
    if target == "Boxes" and "the network finds no box" in str(ended.value.code):
        return
    assert ended.value.code == 0
    kept = explanations.read(run.path)
    assert kept is not None
    assert kept.samples
    assert all(each.error is None or each.error < MOST_MISSED for each in kept.samples), kept.samples
    assert 'id="explanations"' in run.page.read_text(encoding="utf-8")
    check_page(run.page)


@pytest.mark.wide
@pytest.mark.usefixtures("narrow_resnet", "tables", "image_files", "published", "terminal")
@pytest.mark.parametrize(("model", "data"), covering(PAIRS))
def test_every_pair_is_trained_resumed_and_extended(train: Train, resume: Train, model: str, data: str) -> None:
    """A run that stops within its second of two epochs, then gets another, ends as one of three without a stop.

    In a terminal: its bars have a state of their own. The one without a stop has TensorBoard's pictures and a page,
    too: they change nothing.
    """
    overrides = words_for(model)
    whole = train(*overrides, "trainer.max_epochs=3", PICTURES, small=DATA[data], folder="whole", page=True)
    check_whole(whole, model, data)
    stop = Fault(kill(signal.SIGINT), epoch=1, batch=1)
    run = train(*overrides, "trainer.max_epochs=2", small=DATA[data], watching=[stop])
    assert run.read_result()["status"] == "interrupted"
    assert resume(run, "trainer.max_epochs=3").read_result()["status"] == "finished"
    assert ending(run) == ending(whole)


@pytest.mark.slow
@pytest.mark.usefixtures("narrow_resnet", "tables", "image_files", "published")
@pytest.mark.parametrize(("model", "data"), [pair for pair in PAIRS if pair not in EACH])
def test_every_pair_is_trained(train: Train, model: str, data: str) -> None:
    """Those that the test above leaves to `make test-all`."""
    whole = train(*words_for(model), "trainer.max_epochs=3", PICTURES, small=DATA[data], page=True)
    check_whole(whole, model, data)


@pytest.mark.wide
@pytest.mark.usefixtures("narrow_resnet", "tables", "image_files", "published")
@pytest.mark.parametrize("model", MODELS)
def test_every_other_pair_is_a_sentence(train: Train, model: str) -> None:
    for number, data in enumerate(data for data in DATA if (model, data) not in PAIRS):
        run = train(f"model={model}", *TINY.get(model, []), *FEW, small=DATA[data], folder=f"run {number}")
        result = run.read_result()
        assert result["status"] == "failed", data
        verb = "predicts" if PROVIDES[data][0] in kinds(model)[0] else "takes"
        assert result["error"].startswith(f"model={model} {verb} ")
        assert " Try model=" in result["error"]


@pytest.mark.slow
@pytest.mark.usefixtures("tables", "image_files", "published")
@pytest.mark.parametrize(("model", "data"), [pair for pair in EACH if pair[1] != "cifar10"])  # made here, other hashes
def test_every_pair_is_trained_in_two_processes_as_in_one(model: str, data: str, train: Train) -> None:
    """The last batch of an epoch is smaller than the others."""
    few = ["trainer.max_epochs=1", "data.batch_size=16", "data.eval_batch_size=16", "data.limit=52"]
    # Gentle steps, and few: after large ones, rounding decides which way a ReLU or a match of boxes goes.
    rate = 1e-3 if model != "yolo" else 1e-5
    gentle = ["optimizer=sgd", f"optimizer.lr={rate}", "scheduler=none"]
    words = [f"model={model}", *TINY.get(model, []), *few, "model.dropout=0", *gentle]
    one = train(*words, small=DATA[data], folder="one")
    two = train(*words, "trainer.accelerator=cpu", "trainer.devices=2", small=DATA[data], folder="two")
    assert two.read_result()["status"] == "finished", two.log.read_text()
    for alone, shared in zip(one.read_metrics(), two.read_metrics(), strict=True):
        for name in ("train/loss", "val/loss") if model != "yolo" else ("train/loss",):  # see docs/scale.md
            expected = None if alone[name] is None else pytest.approx(alone[name], rel=1e-3)  # before the training
            assert shared[name] == expected, (name, alone, shared)


def test_every_dataset_is_in_the_matrix() -> None:
    """But those that are read as another is; test_hub_runs.py trains on the hub's."""
    same = {"sentiment", "fashion_mnist", "kmnist", "hub"}
    assert {name.partition(",")[0] for name in DATA} | same == {p.stem for p in (CONF / "data").glob("*.yaml")}
