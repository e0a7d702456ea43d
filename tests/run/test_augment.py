"""`data.augment`: what it does to a run, from the command line to the doctor."""

import signal
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from faults import Fault, kill
from helpers import CONF, ON_HOUSES, ON_LISTED, ON_PHOTOS, ON_SCENES, TINY, composed
from published import ON_CIFAR

from litmus.config.fit import fits, kinds_of_data, kinds_of_model
from litmus.config.instantiate import build, defaults
from litmus.config.preflight import preflight
from litmus.config.types import MIXING, Augment
from litmus.config.validate import mistakes, signature
from litmus.data.image.base import ImageData
from litmus.doctor.evidence import Evidence
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run.ending import ending

Train = Callable[..., RunDir]
CHOICES = get_args(Augment)
DATASETS = [path.stem for path in sorted((CONF / "data").glob("*.yaml")) if "augment" in defaults("data", path.stem)]
PHOTOS = kinds_of_data(defaults("data", "image_folder")["_target_"])
MODELS = [
    path.stem
    for path in sorted((CONF / "model").glob("*.yaml"))
    if fits(kinds_of_model(defaults("model", path.stem)["_target_"]), PHOTOS)
]
FEW = ["trainer.max_epochs=1", "trainer.limit_batches=3"]


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_of_classified_images_has_the_same_choices(name: str) -> None:
    assert signature(defaults("data", name)["_target_"])["augment"] == Augment
    assert defaults("data", name)["augment"] == "none"
    for choice in CHOICES if name != "hub" else ():  # which is an image folder, or not, once it is there
        path = {"path": "photos"} if name == "image_folder" else {}
        data = build({**defaults("data", name), "dir": None, **path, "augment": choice}, 0)
        assert isinstance(data, ImageData)
        assert (data.augmentation is not None) == (choice != "none")
        assert (data.mix is not None) == (choice in MIXING)


@pytest.mark.usefixtures("narrow_resnet", "tables", "image_files", "published")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["data.augment=true"], "data.augment=true is not allowed. data.augment is one of none, light, randaugment"),
        (["data.augment=mixpu"], "Did you mean mixup?"),
        (["model=perceptron", "data.augment=mixup"], "model=perceptron predicts no probabilities"),
        ([*ON_LISTED, "data.label=[brightness,share]", "data.augment=cutmix"], "but these have numbers"),
        ([*ON_LISTED, "data.label=brightness", "data.kind=numbers", "data.augment=cutmix"], "but these have numbers"),
        ([*ON_LISTED, "data.label=tags", "data.target_separator=|", "data.augment=mixup"], "but these have labels"),
        (["model=perceptron", "data.augment=randaugment"], ""),
        ([*ON_LISTED, "data.label=tags", "data.target_separator=|", "data.augment=trivialaugment"], ""),
        ([*ON_PHOTOS, "data.augment=mixup"], ""),
        ([*ON_CIFAR, "model=cnn", "data.augment=cutmix"], ""),
    ],
)
def test_what_cannot_be_is_a_sentence(words: list[str], said: str) -> None:
    config = composed(*words)
    found = mistakes(config) or preflight(config)
    assert len(found) == bool(said)
    assert all(said in sentence for sentence in found)


@pytest.mark.parametrize("made", [ON_HOUSES, ON_SCENES], ids=["table", "boxes"])
def test_other_data_have_no_such_key(made: list[str], command: Callable[..., object]) -> None:
    answer = command("model=fnn" if made is ON_HOUSES else "model=yolo", *made, "data.augment=mixup")
    assert answer.returncode == 2, answer.stderr  # type: ignore[attr-defined]
    assert "There is no key data.augment." in answer.stderr  # type: ignore[attr-defined]


@pytest.mark.usefixtures("narrow_resnet", "tables", "image_files")
def test_numbers_that_only_the_table_shows_are_not_mixed() -> None:
    data = build(composed(*ON_LISTED, "data.label=share", "data.augment=mixup")["data"], 0)
    with pytest.raises(UserError, match="data.augment=mixup mixes images of classes, but these have values"):
        data.prepare_data()


@pytest.mark.wide
@pytest.mark.parametrize("choice", [each for each in CHOICES if each != "none"])
def test_a_stopped_run_ends_as_one_without_a_stop(train: Train, resume: Train, choice: str) -> None:
    words = ["model=cnn", "model.widths=[4]", "model.dense=8", f"data.augment={choice}", "data.flip=0.5"]
    whole = train(*words, folder="whole")
    stop = Fault(kill(signal.SIGINT), epoch=1, batch=1)
    run = train(*words, watching=[stop])
    assert run.read_result()["status"] == "interrupted"
    assert resume(run).read_result()["status"] == "finished"
    assert ending(run) == ending(whole)


@pytest.mark.usefixtures("narrow_resnet", "image_files")
@pytest.mark.parametrize("model", MODELS)
def test_every_network_learns_from_mixed_images(train: Train, model: str) -> None:
    options = ["task.balanced=true"] if model != "scratch" else []
    small = [*ON_PHOTOS, "data.augment=mixup", "task.label_smoothing=0.1"]
    if model == "perceptron":
        assert preflight(composed(f"model={model}", *small))
        return
    run = train(f"model={model}", *TINY.get(model, []), *options, *FEW, small=small)
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    (row,) = run.read_metrics()
    assert 0 <= row["train/acc"] <= 1
    assert row["train/loss"] > 0


def test_validation_and_test_are_not_mixed(train: Train) -> None:
    plain, mixed = (
        train("model=fnn", f"data.augment={choice}", "optimizer.lr=1e-12", "trainer.max_epochs=1", folder=choice)
        for choice in ("none", "cutmix")
    )
    for name in ("val/loss", "val/acc", "test/loss", "test/acc"):
        assert mixed.read_result()["metrics"][name] == pytest.approx(plain.read_result()["metrics"][name], rel=1e-5)


@pytest.mark.parametrize("augment", ["none", "mixup"])
def test_progress_ends_where_mixed_targets_say_no_more(augment: str) -> None:
    rows = [{"epoch": 1, "train/loss": 1.0}, {"epoch": 2, "train/loss": 0.45}]
    config = {"data": {"augment": augment}}
    evidence = Evidence("finished", False, config, rows, "val/acc", "max", chance_loss=2.3, class_counts=[5] * 10)
    assert evidence.progress == pytest.approx(1.0 if augment == "mixup" else 1 - 0.45 / 2.3)
    share = torch.rand(100_000, generator=torch.Generator().manual_seed(0))
    entropy = -(share.xlogy(share) + (1 - share).xlogy(1 - share)).mean()
    assert evidence.least_loss == pytest.approx(0.9 * float(entropy) if augment == "mixup" else 0, abs=0.005)
