"""Runs on images in folders: trained, evaluated, and started from pretrained weights."""

import json
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from faults import Fault, kill
from helpers import COLORS, ON_PHOTOS

from litmus.cli import evaluate
from litmus.data.image import cache
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run.build import prepare
from litmus.run.evaluate import evaluate as evaluate_run

Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
PHOTOS = [*ON_PHOTOS, "trainer.max_epochs=4"]


@pytest.mark.parametrize("change", ["seed=5", "data.val_share=0.3"])
def test_no_photo_that_was_trained_on_is_measured_as_a_test(train: Train, photos: Path, change: str) -> None:
    """They get labels that are wrong now: only a test without them is without errors."""
    run = train("model=cnn", "data.test_share=0.3", small=PHOTOS)
    data = prepare(run.read_config())
    names = list(COLORS)
    for number, _ in [*data.samples["train"], *data.samples["val"]]:
        path = data.photos.paths[number]
        path.rename(photos / names[(names.index(path.parent.name) + 1) % 3] / f"moved-{path.parent.name}-{path.name}")
    config = evaluate.changed(run.read_config(), [change])
    again = prepare(evaluate.changed(run.read_config(), [change]))
    tested = [again.photos.paths[number].name for number, _ in again.samples["test"]]
    assert any(name.startswith("moved-") for name in tested), "or there is nothing to leave out"
    assert not all(name.startswith("moved-") for name in tested)
    assert evaluate_run(run, config, [change])["test/acc"] == 1.0


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize("change", ["data.size=64", "data.colours=grey", "model.dropout=0.5"])
def test_what_belongs_to_the_network_cannot_be_changed_in_a_test(train: Train, change: str) -> None:
    run = train("model=fnn", "trainer.max_epochs=1", small=PHOTOS)
    with pytest.raises(UserError, match=f"{change} cannot be changed"):
        evaluate_run(run, evaluate.changed(run.read_config(), [change]), [change])


@pytest.mark.wide
@pytest.mark.usefixtures("photos", "imagenet")
@pytest.mark.parametrize("part", ["all", "head"])
def test_imagenet_s_weights_are_tuned_and_named(train: Train, part: str, tmp_path: Path, litmus: Litmus) -> None:
    small = ["model=resnet", "data.path=photos", "data.size=32", "data.limit=24", "trainer=cpu", "trainer.max_epochs=2"]
    run = train(f"model.train={part}", "data.batch_size=8", "optimizer.lr=0.01", small=small)
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert "model.weights=imagenet: 100 tensors loaded; skipped head" in run.log.read_text()
    out, _ = litmus("predict", str(run.path), "photos/red/1.png", "--json")
    assert set(json.loads(out)["probabilities"]) == set(COLORS)


@pytest.mark.wide
def test_photos_without_a_cache_are_read_ahead_and_train_the_same(
    train: Train, resume: Train, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["model=cnn", "data.size=16", "data.batch_size=8", "data.augment=light", "trainer.max_epochs=2"]
    small = ["data=image_folder", f"data.path={photos}", "trainer=cpu"]
    cached = train(*words, small=small, folder="cached")
    monkeypatch.setattr(cache, "MOST_BYTES", 0)
    monkeypatch.setattr(cache, "_load", lambda *_: None)
    stop = Fault(kill(signal.SIGINT), epoch=1, batch=1)
    run = train(*words, small=small, watching=[stop])
    assert run.read_result()["status"] == "interrupted"
    assert "are read again for every batch" in run.log.read_text()
    assert resume(run).read_result()["status"] == "finished"
    ours, theirs = (torch.load(each.last, weights_only=True)["state_dict"] for each in (run, cached))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
