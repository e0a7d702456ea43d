"""`data=hub`: the copies of the hub's datasets, which must be neither lost nor taken for others."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import fake_hub
import pytest
from helpers import composed
from hub_sets import COLORS, HUB, ON_HUB_HOUSES, ON_HUB_PHOTOS, ROWS, prepared, refused, write, write_sets

from litmus.config.preflight import preflight
from litmus.data._hub_fetch import locked_folder


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


def test_what_cannot_be_read_is_not_said_to_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    write("films")

    def fails(*_: object) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied", "data/hub/films/train.parquet")

    with monkeypatch.context() as patch:
        patch.setattr(fake_hub.Dataset, "iter", fails)
        said = refused("data.name=films")
    assert said == (
        "data.name=films cannot be read: data/hub/films/train.parquet: Permission denied (PermissionError)."
    )
    monkeypatch.setattr("pathlib.Path.rename", fails)
    assert refused("data.name=films") == "data/hub/films/train.parquet cannot be written to: Permission denied."
    assert not [path for path in Path("data/hub-copies").iterdir() if path.is_dir()], "nothing is left behind"


def test_images_are_read_in_the_dataset_s_own_folder_alone(caplog: pytest.LogCaptureFixture) -> None:
    write_sets(HUB)
    photos, secret = HUB / "owner" / "photos", Path("secret.png").absolute()
    shutil.copy(photos / "0.png", secret)
    (photos / "linked.png").symlink_to(secret)
    paths = [*(photos / f"{i}.png" for i in range(54)), secret, photos / "linked.png", photos / ".." / "gone.png"]
    rows = [{"image": {"bytes": None, "path": str(path)}, "label": i % 3} for i, path in enumerate(paths)]
    fake_hub.write(photos, {"image": "image", "label": COLORS}, {"train": rows})
    data = prepared(*ON_HUB_PHOTOS)
    assert sum(data.sizes.values()) == 54
    said = f"3 images of train are not among the dataset's files, and are not read, such as {secret}."
    assert f"data.name=owner/photos: {said}" in caplog.text
    assert "3 of 57 samples of train have no image or no label, and are left out." in caplog.text


def test_a_copy_answers_all_that_it_is_and_nothing_else() -> None:
    write_sets(Path("served"))
    served = Path("served").absolute()
    priced = prepared(*ON_HUB_HOUSES, "data.target=price", "data.revision=main", served=served)
    placed = prepared(*ON_HUB_HOUSES, "data.target=district", "data.config=default", served=served)
    assert priced.copy.folder != placed.copy.folder
    for more, copy in (
        ([], placed.copy),
        (["data.val_split=validation", "data.form=table"], placed.copy),
        ([f"data.revision={fake_hub.REVISION}"], placed.copy),
        (["data.target=price"], priced.copy),
        (["data.target=price", "data.config=default", "data.revision=main"], priced.copy),
    ):
        assert prepared(*ON_HUB_HOUSES, *more).copy == copy, "without a hub"
    for more in (["data.target=area"], ["data.config=other"], ["data.val_split=test", "data.test_split=validation"]):
        assert "has no copy of houses" in refused(*ON_HUB_HOUSES, *more)
    assert "has no copy of houses, revision main" in refused(*ON_HUB_HOUSES, "data.revision=main")
    assert prepared(*ON_HUB_HOUSES, "data.revision=main", served=served).copy.folder == placed.copy.folder
    assert prepared(*ON_HUB_HOUSES, "data.revision=main").copy.folder == placed.copy.folder, "as it was looked up"


def test_a_run_finds_the_copy_of_a_split_of_any_name() -> None:
    write("films", splits={"test": ROWS})
    data = prepared("data.name=films")
    settings = [f"data.{key}={value}" for key, value in data.chosen.items()]
    assert prepared(*settings).copy == data.copy


def test_a_whole_copy_is_never_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    write("films")
    first = prepared("data.name=films")
    rows = first.copy.folder / "train.jsonl"
    before = rows.stat().st_ino
    with monkeypatch.context() as patch:
        patch.setattr("litmus.data._hub_copy.find", lambda *_: None)  # as where files cannot be locked
        assert prepared("data.name=films").copy == first.copy
    assert rows.stat().st_ino == before


def test_a_damaged_copy_is_made_anew(caplog: pytest.LogCaptureFixture) -> None:
    write("films")
    first = prepared("data.name=films")
    rows, facts = (first.copy.folder / name for name in ("train.jsonl", "facts.json"))
    content = rows.read_bytes()
    for path, damaged in ((facts, b"{"), (rows, content[: len(content) // 2]), (rows, None)):
        path.unlink() if damaged is None else path.write_bytes(damaged)
        caplog.clear()
        assert prepared("data.name=films").splits == first.splits
        assert f"{first.copy.folder} is damaged, and is made anew." in caplog.text
    assert rows.read_bytes() == content


def test_a_copy_that_lacks_images_is_damaged() -> None:
    write_sets(Path("served"))
    first = prepared(*ON_HUB_PHOTOS, served=Path("served").absolute())
    assert prepared(*ON_HUB_PHOTOS).copy == first.copy
    next((first.copy.folder / "images" / "test").glob("*/*.png")).unlink()
    said = f"Copies here are of owner/photos, revision {fake_hub.REVISION}, but damaged."
    assert said in refused(*ON_HUB_PHOTOS)


def test_a_copy_is_on_the_disk_before_it_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    write_sets(HUB)
    synced, renamed = [], Path.rename
    monkeypatch.setattr("litmus.fetch.once.to_disk", lambda path: synced.append(path.name))
    monkeypatch.setattr(Path, "rename", lambda own, other: (synced.append("renamed"), renamed(own, other)))
    prepared(*ON_HUB_PHOTOS)
    before = synced[: synced.index("renamed")]
    assert {"facts.json", "0000000.png", "test", "images", "copy"} < {*before}
    assert sum(name.endswith(".png") for name in before) == 72


def test_what_is_being_written_is_left_alone_however_long_it_takes() -> None:
    write("films")
    copies = Path("data/hub-copies")
    with locked_folder(copies) as live:
        killed, new = copies / ".writing-killed", copies / ".writing-new"
        new.mkdir()
        (killed / "library").mkdir(parents=True)
        for folder in (live, killed):
            os.utime(folder, (0, 0))
        prepared("data.name=films")
        assert live.is_dir()
        assert new.is_dir(), "another process is about to lock it"
        assert not killed.exists()
    assert not live.exists()


def test_the_same_files_are_the_same_revision_on_any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    write("films")
    first = prepared("data.name=films")
    shutil.rmtree("data/hub-copies")
    os.utime(HUB / "films" / fake_hub.FILE, (0, 0))
    (HUB / "films" / ".DS_Store").write_text("of the system")
    wanted = f"data.revision={first.chosen['revision']}"
    assert prepared("data.name=films", wanted).splits == first.splits
    monkeypatch.setattr("litmus.data._hub_copy.sha256_of", lambda _: pytest.fail("they were read before"))
    assert prepared("data.name=films").chosen == first.chosen
