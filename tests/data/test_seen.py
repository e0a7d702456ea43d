"""What a network was trained or chosen on is recognized in any dataset's test split, whatever the file or the split."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import CONF, ON_BOXES, ON_HOUSES, ON_PHOTOS, ON_SCENES, ON_TABLE, ON_WAVE, SMALL, composed
from hub_sets import ON_HUB
from published import ON_CIFAR, ON_FASHION, ON_KMNIST

from litmus.cli.evaluate import changed
from litmus.config.instantiate import build
from litmus.config.protocols import Data
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run.evaluate import evaluate

Train = Callable[..., RunDir]
# Of each dataset, how it is made, and overrides with which its test split has samples that were trained on.
DATA = {
    "mnist": (["data=mnist", *SMALL], None),
    "fashion_mnist": (ON_FASHION, None),
    "kmnist": (ON_KMNIST, None),
    "cifar10": (ON_CIFAR, None),
    "text_table": (ON_TABLE, "data.split_seed=7"),
    "table": (ON_HOUSES, "data.split_seed=7"),
    "toy": (["data=toy"], None),
    "sentiment": (None, None),
    "series": ([*ON_WAVE, "data.window=22"], "data.test_share=0.4"),
    "image_folder": (ON_PHOTOS, "data.split_seed=7"),
    "mnist_boxes": (ON_SCENES, None),
    "hub": (ON_HUB, None),
    "yolo_dataset": (ON_BOXES, None),
}
SPLIT_ANEW = {name: (made, override) for name, (made, override) in DATA.items() if made and override}


def prepared(*overrides: str) -> Data:
    data = build(composed(*overrides)["data"], 0)
    data.prepare_data()
    data.setup()
    return data


def test_every_dataset_is_tried() -> None:
    assert DATA.keys() == {path.stem for path in (CONF / "data").glob("*.yaml")}


@pytest.mark.wide
@pytest.mark.usefixtures("tables", "image_files", "published", "hub_copies")
@pytest.mark.parametrize("overrides", [made for made, _ in DATA.values() if made], ids=str)
def test_no_test_sample_of_a_dataset_s_own_split_was_seen(overrides: list[str]) -> None:
    data = prepared(*overrides)
    before = data.sizes["test"]
    assert data.seen.dtype == torch.int64
    data.leave_out(prepared(*overrides).seen)
    assert data.sizes["test"] == before


@pytest.mark.usefixtures("tables", "image_files")
@pytest.mark.parametrize("name", SPLIT_ANEW)
def test_after_another_split_only_unseen_samples_are_tested(
    train: Train, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    overrides, change = SPLIT_ANEW[name]
    whole, rest = prepared(*overrides, change), prepared(*overrides, change)
    rest.leave_out(prepared(*overrides).seen)
    assert 0 < rest.sizes["test"] < whole.sizes["test"]
    network = {"text_table": "model=lstm", "series": "model=lstm", "image_folder": "model=fnn", "table": "model=fnn"}[
        name
    ]
    run = train(network, "trainer.max_epochs=1", "trainer.limit_batches=3", small=overrides)
    evaluate(run, changed(run.read_config(), [change]), [change])
    assert f"{whole.sizes['test'] - rest.sizes['test']} of {whole.sizes['test']} test " in caplog.text


@pytest.mark.wide
def test_a_longer_forecast_test_gives_the_figures_of_the_first_one(
    train: Train, tables: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a series only what follows validation is left, which the first test had."""
    run = train("model=lstm", "trainer.max_epochs=1", small=ON_WAVE)
    monkeypatch.setattr("litmus.data.series.find_period", lambda values, usual: 1)  # of another training split
    found = evaluate(run, changed(run.read_config(), ["data.test_share=0.4"]), ["data.test_share=0.4"])
    refitted = ("ridge", "skill")  # a baseline is fitted on the training split that there is now
    first, second = (
        {k: v for k, v in figures.items() if k.startswith("test/") and not any(part in k for part in refitted)}
        for figures in (run.read_result()["metrics"], found)
    )
    assert first == second
    assert "test/naive_rmse" in first


def test_digits_of_another_file_are_recognized_by_their_pixels() -> None:
    data = prepared("data=mnist", "data.source=bundled", "data.split_seed=1")
    pixels, _ = data.splits["test"]
    trained = prepared("data=mnist", "data.source=bundled")
    trained.splits["train"] = (torch.cat([trained.splits["train"][0], pixels[:600].clone()]), None)
    data.leave_out(trained.seen)
    assert torch.equal(data.splits["test"][0], pixels[600:])
    everything = prepared("data=mnist", "data.source=bundled")
    everything.splits["train"] = (pixels, None)
    with pytest.raises(UserError, match="400 of 400 test images are in the run's training or validation data"):
        data.leave_out(everything.seen)


def test_scenes_are_made_anew_without_the_digits_that_were_seen() -> None:
    data, other = prepared(*ON_SCENES), prepared(*ON_SCENES)
    pixels, labels = data.digits.splits["test"]
    other.digits.splits["train"] = (pixels[:999], None)
    data.leave_out(other.seen)
    (classes,) = {int(row[0]) for boxes in data.scenes["test"][1] for row in boxes if row[0] >= 0}
    assert classes == int(labels[999])


def test_a_killed_run_knows_what_it_was_trained_on(train: Train, tables: None, tmp_path: Path) -> None:
    run = train("model=lstm", "trainer.max_epochs=1", small=ON_WAVE)
    run.remove_result()
    lines = (tmp_path / "wave.csv").read_text().splitlines()
    (tmp_path / "wave.csv").write_text("\n".join(lines[:-40]) + "\n")
    with pytest.raises(UserError, match="These are not the test data of"):
        evaluate(run, run.read_config(), [])


@pytest.mark.usefixtures("tables")
def test_left_out_windows_leave_gaps_that_are_not_measured() -> None:
    """Forecasts stay beside the values that they are forecasts of."""
    data = prepared(*ON_WAVE)
    starts = data.windows["test"].clone()
    middle = data._with_past()[starts[3:5]]  # what a file with other values around them would give
    data.leave_out(middle)
    assert data.windows["test"].tolist() == [*starts[: 4 - data.horizon].tolist(), *starts[5:].tolist()]
