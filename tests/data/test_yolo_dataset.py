"""Datasets in Ultralytics' format: whatever is wrong with a label is named with file and line."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from litmus.data.image.labels import letterbox_boxes, read_labels
from litmus.data.yolo_dataset import YOLODataset
from litmus.errors import UserError
from litmus.spec import Images

KEYS = {
    "size": 64,
    "val_share": 0.2,
    "test_share": 0.2,
    "dir": None,
    "limit": None,
    "limit_eval": None,
    "split_seed": None,
    "folds": None,
    "fold": None,
    "batch_size": 4,
    "eval_batch_size": 4,
    "mosaic": 0.0,
    "flip": 0.0,
}


def dataset(root: Path, parts: dict[str, int], names: str = "[cat, dog]", **lines: str) -> Path:
    for part, count in parts.items():
        for kind in ("images", "labels"):
            (root / kind / part).mkdir(parents=True, exist_ok=True)
        for i in range(count):
            colour = (i, 40 * len(part), 0)
            Image.new("RGB", (40, 20), colour).save(root / "images" / part / f"{i}.png")
            (root / "labels" / part / f"{i}.txt").write_text(f"{i % 2} 0.5 0.5 0.25 0.5\n")
    said = {part: f"images/{part}" for part in parts} | lines
    (root / "data.yaml").write_text("\n".join([*(f"{k}: {v}" for k, v in said.items()), f"names: {names}"]) + "\n")
    return root / "data.yaml"


def read(path: Path, **changes: object) -> YOLODataset:
    data = YOLODataset(0, path=str(path), **{**KEYS, "dir": str(path.parent / "cache"), **changes})
    data.prepare_data()
    data.setup()
    return data


def test_parts_boxes_and_names(tmp_path: Path) -> None:
    data = read(dataset(tmp_path, {"train": 6, "val": 3, "test": 2}))
    assert data.sizes == {"train": 6, "val": 3, "test": 2}
    assert data.spec.target.names == ("cat", "dog")
    pixels, boxes = data.stored("train")
    assert pixels[:6].shape == (6, 3, 64, 64)
    # 40 x 20 becomes 64 x 32, with 16 rows of bars above and below.
    assert torch.allclose(boxes[0, 0, 1:], torch.tensor([0.5, 0.5, 0.25, 0.25]))
    names = [float(data.photos.paths[number].stem) % 2 for number in data.samples["train"]]
    assert boxes[:, 0, 0].tolist() == names


def test_parts_that_are_not_named_are_split_off_and_that_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = read(dataset(tmp_path, {"train": 20}))
    assert data.sizes == {"train": 12, "val": 4, "test": 4}
    assert "has no images for" in caplog.text


def test_numbered_names_lists_of_pictures_and_a_path(tmp_path: Path) -> None:
    dataset(tmp_path / "root", {"train": 6, "val": 3})
    images = sorted((tmp_path / "root" / "images" / "train").glob("*.png"))
    (tmp_path / "root" / "train.txt").write_text("\n".join(f"./images/train/{p.name}" for p in images[:4]) + "\n")
    path = tmp_path / "data.yaml"
    path.write_text("path: root\ntrain: train.txt\nval: images/val\ntest: [images/val]\nnames: {0: cat, 1: dog}\n")
    assert read(path).sizes == {"train": 4, "val": 3, "test": 3}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.2", "neither five numbers"),
        ("0 a b c d", "not numbers"),
        ("7 0.5 0.5 0.2 0.2", "no such class"),
        ("0.5 0.5 0.5 0.2 0.2", "no such class"),
        ("-1 0.5 0.5 0.2 0.2", "no such class"),
        ("0 20 10 8 8", "outside the image"),
        ("0 0.5 0.5 0 0.2", "without area"),
        ("0 0.5 0.5 -0.2 0.2", "without area"),
        ("0 nan 0.5 0.2 0.2", "outside the image"),
        ("inf 0.5 0.5 0.2 0.2", "no such class"),
        ("0 0.1 0.1 0.2 0.2 0.3", "neither five numbers"),
        ("1 0.5 0.5 0.25 0.5", "duplicate box"),
    ],
)
def test_a_wrong_line_is_named_and_the_others_stay(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "x.txt"
    path.write_text(f"1 0.5 0.5 0.25 0.5\n\n{line}\n0 0.2 0.2 0.1 0.1\n")
    labels = read_labels(path, 2, 0)
    assert [int(box[0]) for box in labels.boxes] == [1, 0]
    assert list(labels.mistakes) == [3]
    assert said in labels.mistakes[3]


def test_a_box_that_the_edge_cuts_is_cut(tmp_path: Path) -> None:
    """As the package takes it: only what is seen of a thing is there to be found."""
    path = tmp_path / "x.txt"
    path.write_text("0 0.95 0.5 0.2 0.4\n1 0.1 0.9 0.4 0.4\n")
    labels = read_labels(path, 2, 0)
    assert labels.mistakes == {}
    assert labels.boxes[0] == pytest.approx((0, 0.925, 0.5, 0.15, 0.4))
    assert labels.boxes[1] == pytest.approx((1, 0.15, 0.85, 0.3, 0.3))


def test_outlines_become_the_boxes_around_them(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("1 0.2 0.3 0.6 0.3 0.4 0.7\n")
    (box,) = read_labels(path, 2, 0).boxes
    assert box == pytest.approx((1, 0.4, 0.5, 0.4, 0.4))


def test_keypoints_are_left_out(tmp_path: Path) -> None:
    """Seventeen points of two numbers look like an outline."""
    path = dataset(tmp_path, {"train": 6, "val": 3, "test": 2}, kpt_shape="[17, 2]")
    own = tmp_path / "labels" / "train" / "0.txt"
    own.write_text("0 0.5 0.5 0.25 0.5" + " 0.9 0.9" * 17 + "\n0 0.5 0.5 0.25 0.5 0.9\n")
    data = read(path)
    labels = data.labels[tmp_path / "images" / "train" / "0.png"]
    assert labels.boxes == [(0, 0.5, 0.5, 0.25, 0.5)]
    assert "nor 34 more for keypoints" in labels.mistakes[2]
    path.write_text(path.read_text().replace("[17, 2]", "many"))
    with pytest.raises(UserError, match="kpt_shape should be"):
        read(path)


def test_files_that_are_missing_empty_or_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = dataset(tmp_path, {"train": 10, "val": 3, "test": 2})
    labels = tmp_path / "labels" / "train"
    (labels / "0.txt").unlink()
    (labels / "1.txt").write_text("")
    (labels / "2.txt").write_bytes(b"\xff\xfe\x00\x81")
    (labels / "3.txt").write_text("0 0.5 0.5 0.2 0.2\n0 5 5 5 5\n")
    (tmp_path / "images" / "train" / "4.png").write_bytes(b"no")
    caplog.set_level("INFO")
    data = read(path)
    assert data.sizes["train"] == 9
    for said in (
        "3.txt:2 outside the image",
        "2.txt:1 the file cannot be read",
        "1 of 15 images have no label file",
        "1 of 15 images cannot be used",
        "0.txt does not exist",
        "1.txt: no box",
        "4.png",
    ):
        assert said in caplog.text
    assert "0.txt: no box" not in caplog.text
    numbers, boxes = data.samples["train"], data.stored("train")[1]
    counts = {
        data.photos.paths[number].stem: int((own[:, 0] >= 0).sum()) for number, own in zip(numbers, boxes, strict=True)
    }
    assert (counts["0"], counts["1"], counts["2"], counts["3"], counts["5"]) == (0, 0, 0, 1, 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("names: [a]\n", "train names no images"),
        ("train: nowhere\nnames: [a]\n", "does not exist"),
        ("train: images\n", "names should list the classes"),
        ("train: images\nnames: {1: a, 2: b}\n", "names should list the classes"),
        ("train: images\nnames: {0: a, dog: b}\n", "names should list the classes"),
        ("just text\n", "should have the keys train"),
        ("a: [\n", "is not a YAML file"),
    ],
)
def test_a_wrong_description_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "data.yaml").write_text(content)
    with pytest.raises(UserError, match=said):
        read(tmp_path / "data.yaml")


def test_no_box_at_all_is_refused_with_where_labels_are_looked_for(tmp_path: Path) -> None:
    path = dataset(tmp_path, {"train": 3})
    for file in (tmp_path / "labels").rglob("*.txt"):
        file.unlink()
    with pytest.raises(UserError, match="no image has a box.*labels/train/0.txt"):
        read(path)


def test_roboflow_s_layout_and_classes_by_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset(tmp_path, {"train": 6, "val": 3})
    path = tmp_path / "data.yaml"
    path.write_text("train: ../images/train\nvalidation: ../images/val\ntest: ../images/val\nnc: 2\n")
    data = read(path)
    assert data.sizes == {"train": 6, "val": 3, "test": 3}
    assert data.spec.target.names == ("0", "1")
    assert "3 images of test are also in an earlier split" in caplog.text


def test_a_folder_is_answered_with_the_file_in_it(tmp_path: Path) -> None:
    path = dataset(tmp_path / "set", {"train": 3})
    with pytest.raises(UserError, match=f"Did you mean {path}"):
        read(path.parent)


def test_a_listed_picture_that_is_missing_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = dataset(tmp_path, {"train": 6, "val": 3, "test": 2})
    (tmp_path / "list.txt").write_text("images/train/0.png\nimages/train/99.png\n")
    path.write_text("train: list.txt\nval: images/val\ntest: images/test\nnames: [cat, dog]\n")
    assert read(path).sizes["train"] == 1
    assert "99.png cannot be read" in caplog.text


@pytest.mark.parametrize("size", [(20, 40), (40, 20), (33, 65), (100, 100)])
def test_boxes_are_scaled_and_shifted_with_their_picture(size: tuple[int, int]) -> None:
    """A box around the whole image becomes one around what lies between the bars."""
    wanted = Images(3, 64, 64, (), ())
    (_, x, y, width, height) = letterbox_boxes(torch.tensor([[0, 0.5, 0.5, 1.0, 1.0]]), size, wanted)[0].tolist()
    from litmus.data.image.decode import letterbox_geometry

    (high, wide), left, top = letterbox_geometry(size, wanted)
    assert (x - width / 2) * 64 == pytest.approx(left)
    assert (y - height / 2) * 64 == pytest.approx(top)
    assert (width * 64, height * 64) == pytest.approx((wide, high))


def test_a_list_that_is_none_is_refused_and_nothing_of_it_is_quoted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "secret").write_text("root:x:0:0:root:/root:/bin/bash\nalice:x:1000:1000\n")
    path = dataset(tmp_path, {"train": 4, "val": 2}, train="secret")
    with pytest.raises(UserError, match=r"names .*secret, which is not a list of images: no line names one.$"):
        read(path)
    listed = "".join(f"images/train/{i}.png\n" for i in range(4))
    (tmp_path / "secret").write_text(f"{listed}root:x:0:0\n")
    assert read(path).sizes["train"] >= 2
    assert "lines skipped, because their extension is not an image's: 1." in caplog.text
    assert "root:x" not in caplog.text
