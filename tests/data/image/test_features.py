"""Features of a frozen network: kept for other runs, by all that they depend on; and those of augmented views."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import SMALL, composed

from litmus.data.image.features import key_of, pick_view
from litmus.errors import UserError
from litmus.model.resnet import ResNet
from litmus.record.folder import RunDir
from litmus.run import features
from litmus.run.features import cached
from litmus.spec import Images

HEAD = ["model=resnet", "data=mnist", "model.train=head"]
Train = Callable[..., RunDir]


@pytest.fixture
def few(narrow_resnet: None, train: Train, tmp_path: Path) -> list[str]:
    """The words of a small run on a network that was trained on digits for a moment, with a cache of its own."""
    sizes = ["data.limit=60", "data.limit_eval=60", "trainer.max_epochs=1", "trainer.precision=32"]
    small = [*SMALL, *sizes, f"data.dir={tmp_path / 'cache'}"]
    begun = train("model=resnet", "model.weights=null", "data=mnist", folder="begun", small=small)
    return [*small, f"model.weights={begun.path}"]


def _said(run: RunDir) -> dict[str, str]:
    """What the log says of each split's features: `computed`, or `kept`."""
    lines = [line for line in run.log.read_text().splitlines() if "features of each image" in line]
    words = {"were computed once": "computed", "were kept": "kept"}
    return {
        split: word
        for line in lines
        for split in ("train", "val")
        for part, word in words.items()
        if f" {split}: " in line and part in line
    }


def _metrics(run: RunDir) -> list[dict[str, object]]:
    return [{name: own for name, own in row.items() if not name.startswith("time/")} for row in run.read_metrics()]


@pytest.mark.wide
def test_a_second_run_takes_them_from_the_cache_and_is_the_same(train: Train, few: list[str], tmp_path: Path) -> None:
    first = train(*HEAD, "trainer.max_epochs=3", folder="first", small=few)
    assert _said(first) == {"train": "computed", "val": "computed"}
    second = train(*HEAD, "trainer.max_epochs=3", folder="second", small=few)
    assert _said(second) == {"train": "kept", "val": "kept"}
    assert _metrics(first) == _metrics(second)
    assert first.read_result()["metrics"] == second.read_result()["metrics"]
    entries = sorted((tmp_path / "cache/features").iterdir())
    assert len(entries) == 2, "and nothing else is left there"
    entries[0].write_bytes(entries[0].read_bytes()[:200])
    entries[1].write_bytes(b"")
    third = train(*HEAD, "trainer.max_epochs=3", folder="third", small=few)
    assert _said(third) == {"train": "computed", "val": "computed"}, "damaged ones are computed again"
    assert _metrics(first) == _metrics(third)


@pytest.mark.wide
def test_other_weights_or_images_are_not_taken(train: Train, few: list[str]) -> None:
    train(*HEAD, folder="first", small=few)
    other = train("model=resnet", "model.weights=null", "data=mnist", "seed=1", folder="other", small=few[:-1])
    again = train(*HEAD, f"model.weights={other.path}", folder="again", small=few)
    assert _said(again) == {"train": "computed", "val": "computed"}
    fewer = train(*HEAD, "data.limit=59", folder="fewer", small=few)
    assert _said(fewer) == {"train": "computed", "val": "kept"}


@pytest.mark.wide
def test_a_folder_that_cannot_be_written_costs_time_only(
    train: Train, few: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(features, "make_room", refuse)
    run = train(*HEAD, folder="run", small=few)
    assert _said(run) == {"train": "computed", "val": "computed"}
    assert run.read_result()["status"] == "finished"
    assert "features are not kept" in run.log.read_text()


@pytest.mark.wide
def test_views_are_augmented_differently_and_computed_once(train: Train, few: list[str], tmp_path: Path) -> None:
    words = [*HEAD, "data.augment=light", "model.views=3", "trainer.max_epochs=4"]
    run = train(*words, folder="views", small=few)
    log = run.log.read_text()
    assert "train: 64 features of each image and each of 3 views were computed once" in log
    assert "val: 64 features of each image were computed once" in log
    assert "computed again" not in log
    again = train(*words, folder="again", small=few)
    assert _said(again) == {"train": "kept", "val": "kept"}
    assert _metrics(run) == _metrics(again)
    kept = [_array(path) for path in (tmp_path / "cache/features").iterdir()]
    (views,) = [each for each in kept if each.shape[1] == 3]
    assert views.shape == (60, 3, 64)
    assert not torch.equal(views[:, 0], views[:, 1])
    assert not torch.equal(views[:, 1], views[:, 2])


@pytest.mark.slow
def test_other_augmentation_has_features_of_its_own(train: Train, few: list[str]) -> None:
    one = ["data.augment=light", "model.views=1"]
    for number, words in enumerate([one, ["model.views=1"], [*one, "data.flip=0.3"], [*one, "data.flip=0.5"]]):
        run = train(*HEAD, *words, folder=f"run{number}", small=few)
        assert _said(run)["train"] == "computed", words
        assert ("model.views=1 changes nothing" in run.log.read_text()) == (len(words) == 1)
    again = train(*HEAD, *one, folder="again", small=few)
    assert _said(again)["train"] == "kept"


def test_views_are_for_a_frozen_backbone() -> None:
    settings = {**composed("model=resnet", "data.path=x", "model.views=2")["model"], "weights": None}
    with pytest.raises(UserError, match="model.views=2 is for model.train=head"):
        ResNet.image_spec(settings, Images(1, 28, 28, (), ()))


def _array(path: Path) -> torch.Tensor:
    found = features._load(path)
    assert found is not None
    return found


@pytest.mark.wide
@pytest.mark.parametrize("augment", [pytest.param("mixup", marks=pytest.mark.slow), "cutmix"])
def test_mixed_images_have_features_of_their_own(train: Train, few: list[str], augment: str) -> None:
    run = train(*HEAD, f"data.augment={augment}", "model.views=3", folder="mixed", small=few)
    assert run.read_result()["status"] == "finished", json.dumps(run.read_result())
    assert "computed again in every epoch" in run.log.read_text()
    assert _said(run) == {"val": "computed"}


def test_a_batch_s_views_do_not_depend_on_the_number_of_processes() -> None:
    stored = torch.arange(8).reshape(8, 1, 1) * 10 + torch.arange(4).reshape(1, 4, 1)
    whole = pick_view(stored, torch.Generator().manual_seed(3), 8, slice(0, 8))
    halves = [pick_view(stored[own], torch.Generator().manual_seed(3), 8, own) for own in (slice(0, 4), slice(4, 8))]
    assert torch.equal(whole, torch.cat(halves))
    assert set((whole[:, 0] % 10).tolist()) > {0}, "not always the same view"
    assert (whole[:, 0] // 10).tolist() == list(range(8))


def test_a_key_names_all_that_features_depend_on() -> None:
    images, device = torch.zeros(300, 1, 4, 4, dtype=torch.uint8), torch.device("cpu")
    changed = images.clone()
    changed[299, 0, 3, 3] = 1
    keys = {
        key_of(images, 300, "a", device),
        key_of(images, 299, "a", device),
        key_of(changed, 300, "a", device),
        key_of(images, 300, "b", device),
        key_of(images.reshape(300, 1, 2, 8), 300, "a", device),
    }
    assert len(keys) == 5
    assert key_of(images.clone(), 300, "a", device) in keys


def test_what_is_computed_is_what_is_kept(tmp_path: Path) -> None:
    made = torch.randn(5, 1, 3)
    assert cached(tmp_path, "0" * 64, lambda: made)[1] is False
    found, was_kept = cached(tmp_path, "0" * 64, lambda: pytest.fail("it is there"))
    assert was_kept
    assert torch.equal(found, made)
