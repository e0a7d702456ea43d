"""`data=hub`: what becomes of the hub's datasets, with a stand-in for its library."""

import shutil
import sys
import unicodedata
from pathlib import Path
from typing import Any

import fake_hub
import pytest
from helpers import composed
from hub_sets import (
    COLORS,
    HUB,
    ON_HUB,
    ON_HUB_HOUSES,
    ON_HUB_MAILS,
    ON_HUB_PHOTOS,
    ROWS,
    TEXT,
    prepared,
    refused,
    write,
    write_sets,
)

from litmus.config import preflight as preflight_module
from litmus.config.instantiate import build
from litmus.config.preflight import preflight
from litmus.data._hub_write import folder_of
from litmus.data.image_folder import ImageFolder
from litmus.data.table import Table
from litmus.data.text_table import TextTable
from litmus.spec import Classes, Labels, Values


@pytest.mark.usefixtures("hub_copies")
def test_texts_keep_the_hub_s_splits(caplog: pytest.LogCaptureFixture) -> None:
    data = prepared(*ON_HUB)
    assert isinstance(data, TextTable)
    assert data.spec.data == "hub"
    assert data.sizes == {"train": 108, "val": 12, "test": 40}
    assert data.spec.target == Classes(("neg", "pos"))
    assert {int(text.split()[-1]) for text in data.splits["test"].texts} == set(range(120, 160))
    assert data.chosen | {"revision": ""} == {
        "name": "reviews", "config": "default", "revision": "", "form": "texts", "text": "text", "target": "label",
        "train_split": "train", "test_split": "test", "batch_size": 32, "eval_batch_size": 128,
    }  # fmt: skip
    assert data.facts["source"] == f"hub: reviews, revision {data.chosen['revision']}"


@pytest.mark.usefixtures("hub_copies")
def test_images_tables_and_labels_are_found_by_their_columns() -> None:
    photos, houses, mails = prepared(*ON_HUB_PHOTOS), prepared(*ON_HUB_HOUSES), prepared(*ON_HUB_MAILS)
    assert isinstance(photos, ImageFolder)
    assert photos.sizes["test"] == 18
    assert photos.spec.target == Classes(tuple(COLORS))
    pixels, targets = photos.stored("test")
    assert all(int(pixels[i : i + 1].float().mean((0, 2, 3)).argmax()) == 2 - int(targets[i]) for i in range(18))
    assert isinstance(houses, Table)
    assert houses.sizes == {"train": 160, "val": 40, "test": 40}
    assert houses.spec.target == Classes(("north", "south", "west"))
    assert {name for name, _, _ in houses.columns} == {"area", "garden", "heating", "sold", "price"}
    assert mails.spec.target == Labels(("new", "paid", "urgent"))
    priced = prepared(*ON_HUB_HOUSES, "data.target=price")
    assert isinstance(priced.spec.target, Values)
    assert priced.spec.target.names == ("price",)


def test_what_has_no_target_is_left_out_and_said(caplog: pytest.LogCaptureFixture) -> None:
    secret = [{**row, "label": -1} for row in ROWS]
    splits = {"train": ROWS + secret[:3], "dev": ROWS[:8], "test": secret, "unsupervised": secret, "extra": ROWS}
    write("films", {**TEXT, "sound": "audio"}, {n: [{**row, "sound": 0} for row in rows] for n, rows in splits.items()})
    data = prepared("data.name=films")
    assert data.sizes == {"train": 36, "val": 8, "test": 4}, "a tenth of the training samples tests"
    for said in (
        "the split unsupervised is left out.",
        "the split extra is left out.",
        "3 of 43 samples of train have no label, and are left out.",
        "40 of 40 samples of test have no label, and are left out.",
        "columns that cannot be read are left out: sound.",
    ):
        assert f"data.name=films: {said}" in caplog.text
    write("nothing", splits={"train": secret})
    assert "no sample is left to train on" in refused("data.name=nothing")


def test_a_copy_is_made_once_and_needs_neither_hub_nor_library(monkeypatch: pytest.MonkeyPatch) -> None:
    write_sets(Path("hub"))
    first = prepared("data.name=reviews", served=Path("hub").absolute())
    assert first.source == f"hub: reviews, revision {fake_hub.REVISION}"
    monkeypatch.setitem(sys.modules, "datasets", None)
    monkeypatch.setattr("litmus.fetch.hub.reachable", lambda: False)
    shutil.rmtree("hub")
    for overrides in ([], [f"data.revision={fake_hub.REVISION}", "data.target=label", "data.text=text"]):
        config = composed(*ON_HUB, *overrides)
        assert preflight(config) == []
        again = build(config["data"], 0)
        again.prepare_data()
        assert again.splits == first.splits
    assert [path.name for path in Path("data/hub-copies").glob("[!.]*")] == [first.copy.folder.name]
    assert not list(Path("data/hub-copies").glob(".*"))


def test_a_branch_is_looked_up_again_and_stored_as_the_revision_that_it_was() -> None:
    write_sets(Path("hub"))
    served = Path("hub").absolute()
    first = prepared("data.name=reviews", "data.revision=main", served=served)
    assert first.chosen["revision"] == fake_hub.REVISION
    other = prepared("data.name=reviews", "data.revision=main")
    assert other.copy == first.copy, "without a hub it is the one that there is"
    shutil.rmtree("hub/reviews")
    assert "doesn't exist on the Hub" in refused("data.name=reviews", "data.revision=main", served=served)


def test_files_that_changed_are_another_revision() -> None:
    write("films")
    first = prepared("data.name=films")
    write("films", splits={"train": ROWS[:30]})
    second = prepared("data.name=films")
    assert sum(second.sizes.values()) == 30 < sum(first.sizes.values())
    kept = prepared("data.name=films", f"data.revision={first.chosen['revision']}")
    assert kept.sizes == first.sizes, "the copy is still there"
    shutil.rmtree(first.copy.folder)
    said = refused("data.name=films", f"data.revision={first.chosen['revision']}")
    assert f"they are {second.chosen['revision']} now" in said


def test_a_split_that_is_left_out_is_taken_from_the_training_samples(caplog: pytest.LogCaptureFixture) -> None:
    write_sets(HUB)
    folds = ["data.val_split=none", "data.folds=4"]
    parts = [prepared(*ON_HUB_HOUSES, *folds, f"data.fold={fold}") for fold in range(4)]
    assert all(part.sizes == {"train": 120, "val": 40, "test": 40} for part in parts)
    assert "data.name=houses: the split validation is left out." in caplog.text
    config = [f"data.{key}={value}" for key, value in parts[3].chosen.items()]
    assert prepared(*config, *folds, "data.fold=3").copy == parts[0].copy
    shared = prepared(*ON_HUB_HOUSES, "data.val_split=none", "data.test_split=none")
    assert shared.sizes == {"train": 128, "val": 16, "test": 16}


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["data.target=lable"], "films has no column lable. Did you mean label? It has: text (text), label (class)"),
        (["data.text=body"], "data.text=body: films has no column body."),
        (["data.val_split=valid"], "data.val_split=valid: films has no split valid. It has: train, spare."),
        (["data.val_split=train"], "data.train_split and data.val_split both name train"),
        (["data.form=images"], "data.name=films has no column of images: set data.image"),
        (["data.augment=light"], "data.augment is for images, but data.name=films is read as texts."),
        (["data.ignore=[text]"], "data.ignore is for table, but data.name=films is read as texts."),
        (["data.group=who"], "data.group=who: films has no column who."),
    ],
)
def test_what_it_does_not_have_is_a_sentence(overrides: list[str], said: str) -> None:
    write("films", splits={"train": ROWS, "spare": ROWS})
    assert said in refused("data.name=films", *overrides)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"text": "string", "label": "int64"}, "names no column of classes: set data.target to the column to predict."),
        ({"text": "string", "a": ["x"], "b": ["y"]}, "has the classes a, b: set data.target"),
        ({"title": "string", "body": "string", "label": ["x"]}, "has several columns of texts: set data.text"),
        ({"image": "image", "label": {"of": ["x"]}}, "data.target=label: images have one class each."),
    ],
)
def test_what_it_cannot_know_is_asked_for(features: dict[str, Any], said: str) -> None:
    write("films", features)
    assert said in refused("data.name=films")


def test_configurations_are_listed_and_programs_are_not_run() -> None:
    write("several", configs=["small", "large"])
    assert "has several configurations. Set data.config to one of: small, large." in refused("data.name=several")
    said = refused("data.name=several", "data.config=smal")
    assert "has no configuration smal. Did you mean small?" in said
    assert prepared("data.name=several", "data.config=large").chosen["config"] == "large"
    write("script", error="Dataset scripts are no longer supported, but found script.py")
    assert "never run here" in refused("data.name=script")
    write("closed", error="Dataset 'closed' is a gated dataset on the Hub.")
    assert "run hf auth login" in refused("data.name=closed")


def test_without_library_or_network_it_says_what_helps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("litmus.data._hub_copy.is_installed", lambda: False)
    config = composed("model=fnn", "data=hub", "data.name=owner/films", "data.dir=data")
    assert preflight(config) == ["data=hub requires the package datasets. Run pip install 'litmus[hub]'."]
    preflight_module.file_mistakes.cache_clear()
    monkeypatch.undo()
    with fake_hub.library():
        (said,) = preflight(composed("data=hub", "data.name=owner/films", "data.dir=data", "model=fnn"))
        (wrong,) = preflight(composed("data=hub", "data.name=../films", "model=fnn"))
    assert "the hub cannot be reached, there is no folder data/hub/owner/films" in said
    assert "bring hub-copies/" in said
    assert wrong.startswith("data.name=../films is no name on the hub")


@pytest.mark.usefixtures("hub_copies")
def test_what_the_copy_shows_is_said_before_torch_is_imported() -> None:
    for words, said in (
        ([*ON_HUB, "data.size=32"], "data.size is for images, but data.name=reviews is read as texts."),
        ([*ON_HUB_HOUSES, "data.ignore=[are]"], "houses has no column are. Did you mean area?"),
        ([*ON_HUB_HOUSES, "data.folds=3", "data.fold=0"], "data.val_split=none leaves it out"),
        ([*ON_HUB_PHOTOS, "data.size=200000", "data.batch_size=9999"], "is too large for this machine"),
    ):
        (sentence,) = preflight(composed(*words, "model=lstm"))
        assert said in sentence


def test_every_name_of_a_class_becomes_a_folder_of_its_own() -> None:
    names = ["cat", "n/a", "n-a", "n\\a", ".cat", "..", "a" * 70, "a" * 71, "__MACOSX", "été"]
    names += ["Cat", "cat.", "CAT", "Été", unicodedata.normalize("NFD", "été"), "straße", "STRASSE"]
    taken: dict[str, str] = {}
    folders = [folder_of(name, taken) for name in names]
    assert folders == [folder_of(name, taken) for name in names]
    assert len({unicodedata.normalize("NFC", each.casefold()).rstrip(". ") for each in folders}) == len(names)
    assert folders[0] == "cat"
    assert all("/" not in each and not each.startswith((".", "_")) and len(each) < 100 for each in folders)


def test_images_without_a_name_of_their_class_are_left_out(caplog: pytest.LogCaptureFixture) -> None:
    write_sets(HUB)
    rows = [{"image": f"{i}.png", "label": ("A", "a", "", " ", None)[i % 5]} for i in range(50)]
    write("owner/photos", {"image": "image", "label": "string"}, {"train": rows})
    data = prepared(*ON_HUB_PHOTOS, "data.target=label")
    assert sum(data.sizes.values()) == 20
    assert len(data.spec.target.names) == 2
    assert "30 of 50 samples of train have no image or no label, and are left out." in caplog.text
