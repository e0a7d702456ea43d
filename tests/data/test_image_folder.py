"""Photos by class: found, split, told apart, and what is wrong with them said."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from litmus.data._split import fingerprints
from litmus.data.image_folder import ImageFolder
from litmus.errors import UserError

KEYS = {
    "image": "path",
    "label": "label",
    "target_separator": None,
    "kind": "auto",
    "size": 16,
    "colours": "rgb",
    "val_share": 0.2,
    "test_share": 0.2,
    "dir": None,
    "limit": None,
    "limit_eval": None,
    "split_seed": None,
    "folds": None,
    "fold": None,
    "batch_size": 4,
    "eval_batch_size": 8,
    "augment": "none",
    "flip": None,
}


def photos(folder: Path, counts: dict[str, int], start: int = 0) -> Path:
    for number, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            colour = (start + i, 80 * number, 0)
            Image.new("RGB", (20, 24), colour).save(folder / name / f"{start + i}.png")
    return folder


def read(path: Path, seed: int = 0, **changes: object) -> ImageFolder:
    data = ImageFolder(seed, path=str(path), **{**KEYS, "dir": str(path.parent / "cache"), **changes})
    data.prepare_data()
    data.setup()
    return data


def members(data: ImageFolder, part: str) -> set[Path]:
    return {data.photos.paths[number] for number, _ in data.samples[part]}


def test_split_by_class_and_seed(tmp_path: Path) -> None:
    path = photos(tmp_path / "pets", {"cat": 20, "dog": 10})
    data = read(path)
    assert data.spec.target.names == ("cat", "dog")
    assert data.sizes == {"train": 18, "val": 6, "test": 6}
    for part, cats in (("train", 12), ("val", 4), ("test", 4)):
        assert sum(name == "cat" for _, name in data.samples[part]) == cats
    parts = [members(data, part) for part in ("train", "val", "test")]
    assert len(set.union(*parts)) == 30
    assert read(path).samples == data.samples
    assert members(read(path, seed=1), "test") != parts[2]
    pixels, targets = data.stored("train")
    assert pixels[:3].shape == (3, 3, 16, 16)
    assert targets.tolist() == [("cat", "dog").index(name) for _, name in data.samples["train"]]
    assert len(data.spec.input.mean) == 3


def test_ready_made_parts_are_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "pets"
    photos(path / "train", {"cat": 10, "dog": 10})
    photos(path / "valid", {"cat": 3, "dog": 2}, start=100)
    photos(path / "test", {"cat": 1, "dog": 4}, start=200)
    data = read(path)
    assert data.sizes == {"train": 20, "val": 5, "test": 5}
    assert {p.parts[-3] for p in members(data, "val")} == {"valid"}
    Image.open(path / "train" / "cat" / "1.png").save(path / "test" / "cat" / "again.png")
    read(path)
    assert "1 images of val or test are also in an earlier split" in caplog.text


def test_a_class_may_be_named_train(tmp_path: Path) -> None:
    data = read(photos(tmp_path / "vehicles", {"bus": 10, "car": 10, "train": 10}))
    assert data.spec.target.names == ("bus", "car", "train")
    photos(tmp_path / "pets" / "train", {"cat": 10, "dog": 10})
    photos(tmp_path / "pets" / "val", {"cat": 2, "dog": 2}, start=100)
    photos(tmp_path / "pets" / "valid", {"cat": 2, "dog": 2}, start=200)
    with pytest.raises(UserError, match="are both folders for val"):
        read(tmp_path / "pets")


def test_folders_beside_the_parts_are_left_out_and_a_missing_train_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for start, part in ((0, "train"), (60, "val"), (120, "test")):
        photos(tmp_path / "pets" / part, {"cat": 6, "dog": 6}, start=start)
    photos(tmp_path / "pets" / "drafts", {"cow": 3}, start=200)
    (tmp_path / "pets" / "__MACOSX").mkdir()
    data = read(tmp_path / "pets")
    assert data.sizes == {"train": 12, "val": 12, "test": 12}
    assert data.spec.target.names == ("cat", "dog")
    assert "the other folders are skipped: drafts/" in caplog.text
    (tmp_path / "pets" / "train").rename(tmp_path / "pets" / "trian")
    with pytest.raises(UserError, match="has test/ and val/, but no folder train/"):
        read(tmp_path / "pets")


def test_links_to_folders_are_followed(tmp_path: Path) -> None:
    photos(tmp_path / "elsewhere", {"cats": 10})
    path = photos(tmp_path / "pets", {"dog": 10, "cow": 10}, start=50)
    (path / "cat").symlink_to(tmp_path / "elsewhere" / "cats")
    (path / "dog" / "again").symlink_to(path)  # back up: not for ever
    data = read(path)
    assert data.spec.target.names == ("cat", "cow", "dog")
    assert sum(data.sizes.values()) == 30


def test_a_class_of_which_no_photo_can_be_used_is_said(tmp_path: Path) -> None:
    path = photos(tmp_path / "pets", {"cat": 20, "dog": 20})
    (path / "cow").mkdir()
    (path / "cow" / "1.png").write_bytes(b"no")
    (said,) = read(path).concerns
    assert said == "1 of 3 classes have no training sample, so the network cannot learn them: cow."
    (path / "dog").rename(tmp_path / "dog")
    with pytest.raises(UserError, match="all training samples have the class cat: there is nothing to learn"):
        read(path)


def test_what_was_seen_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = photos(tmp_path / "pets", {"cat": 20, "dog": 20})
    trained, other = read(path), read(path, seed=5)
    seen = members(trained, "train") | members(trained, "val")
    assert members(other, "test") & seen
    other.leave_out(trained.seen)
    assert members(other, "test")
    assert not members(other, "test") & seen
    assert len(other.stored("test")[1]) == other.sizes["test"]
    assert "are in the run's training or validation data; they are not used" in caplog.text
    with pytest.raises(UserError, match="none is left to test on"):
        trained.leave_out(torch.cat([trained.seen, fingerprints(trained.groups("test"))]))


def test_animations_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = photos(tmp_path / "pets", {"cat": 10, "dog": 10})
    first, second = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    first.save(path / "cat" / "a.gif", save_all=True, append_images=[second])
    read(path)
    assert "1 images are animated; the first frame is used (" in caplog.text


def test_a_limit_takes_a_fair_sample_of_ready_made_parts(tmp_path: Path) -> None:
    for start, part in ((0, "train"), (60, "val"), (120, "test")):
        photos(tmp_path / "pets" / part, {"cat": 30, "dog": 30}, start=start)
    data = read(tmp_path / "pets", limit=20, limit_eval=20)
    for part in ("train", "val", "test"):
        assert 4 <= sum(name == "cat" for _, name in data.samples[part]) <= 16


def test_the_fingerprint_knows_classes_and_parts(tmp_path: Path) -> None:
    path = tmp_path / "pets"
    for start, part in ((0, "train"), (60, "val"), (120, "test")):
        photos(path / part, {"cat": 6, "dog": 6}, start=start)
    before = read(path).sha256
    assert read(path, seed=3).sha256 == before
    (path / "test" / "cat" / "120.png").rename(path / "test" / "dog" / "moved.png")
    relabelled = read(path).sha256
    assert relabelled != before
    (path / "test" / "dog" / "moved.png").rename(path / "train" / "dog" / "moved.png")
    assert read(path).sha256 not in (before, relabelled)


def test_equal_files_stay_on_one_side(tmp_path: Path) -> None:
    path = photos(tmp_path / "pets", {"cat": 12, "dog": 12})
    for i in range(12):
        (path / "cat" / f"copy{i}.png").write_bytes((path / "cat" / f"{i}.png").read_bytes())
    data = read(path)
    for part in ("train", "val", "test"):
        numbers = [number for number, _ in data.samples[part]]
        hashes = {data.photos.sha256[number] for number in numbers}
        others = {data.photos.sha256[n] for p in ("train", "val", "test") if p != part for n, _ in data.samples[p]}
        assert not hashes & others


def test_a_table_of_paths_and_labels(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    photos(tmp_path / "all", {"x": 20})
    rows = [f"all/x/{i}.png,{'even' if i % 2 == 0 else 'odd'}" for i in range(20)]
    (tmp_path / "list.csv").write_text("\n".join(["file,kind", *rows, "all/x/99.png,odd", "all/x/1.png,"]) + "\n")
    data = read(tmp_path / "list.csv", image="file", label="kind")
    assert data.spec.target.names == ("even", "odd")
    assert sum(data.sizes.values()) == 20
    assert "no such file in file: 1 (line 22)" in caplog.text
    assert "no kind: 1 (line 23)" in caplog.text


def test_what_is_broken_is_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = photos(tmp_path / "pets", {"cat": 10, "dog": 10})
    (path / "cat" / "broken.jpg").write_bytes(b"\xff\xd8 no")
    (path / "dog" / "empty.png").touch()
    (path / "dog" / "notes.txt").write_text("x")
    (path / "fish").mkdir()
    Image.new("RGB", (9, 9)).save(path / "loose.png")
    data = read(path)
    assert sum(data.sizes.values()) == 20
    for said in ("2 of 22 images cannot be used", "broken.jpg is not an image", "empty.png is empty"):
        assert said in caplog.text
    assert "extension is not an image's: 1." in caplog.text
    assert "1 images are in no class's folder" in caplog.text
    assert "no image, and so no class, is in fish/." in caplog.text


def test_imbalance_is_said(tmp_path: Path) -> None:
    said = read(photos(tmp_path / "pets", {"cat": 50, "dog": 10})).concerns[-1]
    assert "30 training samples of cat, 6 of dog. task.balanced=true weights them equally" in said


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({}, "has no images"),
        ({"cat": 5}, "has only one class"),
        ({"cat": 1, "dog": 1}, "there are too few"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(tmp_path: Path, counts: dict[str, int], said: str) -> None:
    (tmp_path / "pets").mkdir()
    with pytest.raises(UserError, match=said):
        read(photos(tmp_path / "pets", counts))


def test_a_class_s_own_folder_is_answered_with_the_one_above(tmp_path: Path) -> None:
    path = photos(tmp_path / "pets", {"cat": 5, "dog": 5})
    with pytest.raises(UserError, match=f"did you mean the folder above, {path}"):
        read(path / "cat")


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read(tmp_path / "nowhere")


def test_most_of_it_broken_is_refused(tmp_path: Path) -> None:
    path = photos(tmp_path / "pets", {"cat": 2, "dog": 2})
    for i in range(5):
        (path / "cat" / f"bad{i}.jpg").touch()
    with pytest.raises(UserError, match="more than half"):
        read(path)


def test_augmenting_stores_a_margin_and_evaluates_on_the_middle(tmp_path: Path) -> None:
    path = photos(tmp_path / "pets", {"cat": 10, "dog": 10})
    plain, moved = read(path, size=14), read(path, size=14, augment="light")
    assert moved.stored("train")[0][:1].shape[2:] == (16, 16)
    assert moved.stored("val")[0][:1].shape[2:] == (14, 14)
    assert moved.samples == plain.samples
    assert (moved.stored("val")[0][:9] == plain.stored("val")[0][:9]).all()


def test_classes_that_a_network_does_not_know_are_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    from litmus.spec import Classes

    data = read(photos(tmp_path / "pets", {"cat": 10, "dog": 10}))
    data.spec = replace(data.spec, target=Classes(("cat", "cow")))
    with pytest.raises(UserError, match="not trained on: dog"):
        data.stored("test")


@pytest.mark.parametrize(
    ("augment", "flip", "expected"),
    [("none", None, 0.0), ("light", None, 0.5), ("mixup", 0.0, 0.0), ("none", 0.25, 0.25)],
)
def test_flips_are_apart_from_augmentation(tmp_path: Path, augment: str, flip: float | None, expected: float) -> None:
    data = read(photos(tmp_path / "pets", {"cat": 10, "dog": 10}), augment=augment, flip=flip)
    assert data.chosen == {"flip": expected}, "which config.yaml then says"
    assert (data.augmentation is None) == (augment == "none" and not expected)
