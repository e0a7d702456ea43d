"""What a training split lacks is said before the training, by every dataset that has classes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers import CONF, ON_BOXES, ON_HOUSES, ON_PHOTOS, ON_SCENES, ON_TABLE, ON_WAVE, SMALL, composed
from hub_sets import ON_HUB

from litmus.data._concerns import of_classes, of_joined, of_texts
from litmus.record.folder import RunDir
from litmus.run.build import prepare

pytestmark = pytest.mark.usefixtures("tables", "image_files", "hub_copies")

Train = Callable[..., RunDir]
LSTM = ["model=lstm", "model.widths=[8]", "model.embedding_size=8"]
DATA = {  # and a network that takes it
    "mnist": [*SMALL, "model=fnn"],
    "text_table": [*LSTM, *ON_TABLE],
    "table": ["model=fnn", *ON_HOUSES],
    "toy": ["model=fnn", "data=toy"],
    "image_folder": ["model=fnn", *ON_PHOTOS],
    "mnist_boxes": ["model=yolo", *ON_SCENES],
    "yolo_dataset": ["model=yolo", *ON_BOXES],
    "series": ["model=lstm", *ON_WAVE],
    "hub": [*LSTM, *ON_HUB],
}
SAME_AS_ANOTHER = {"sentiment", "fashion_mnist", "kmnist", "cifar10"}  # as text_table, and as mnist


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a", "b", "a|b"), ["a|b: is a class made of others. If a cell holds several labels"]),
        (("a", "b", "c", "a;b", "b; c"), ["a;b, b; c: are classes made of others. If a cell holds several labels"]),
        (("and/or", "and", "n/a"), []),
        (("a", "a|b"), []),
    ],
)
def test_classes_that_are_made_of_others_may_be_several_labels(names: tuple[str, ...], said: list[str]) -> None:
    found = of_joined(names)
    assert [sentence.partition(",")[0] for sentence in found] == [s.partition(",")[0] for s in said]
    assert all(other in sentence for other, sentence in zip(said, found, strict=True))


def test_every_dataset_is_here() -> None:
    assert set(DATA) | SAME_AS_ANOTHER == {path.stem for path in (CONF / "data").glob("*.yaml")}


@pytest.mark.parametrize("name", sorted(set(DATA) - {"series"}))
def test_a_class_without_training_samples_is_said(name: str) -> None:
    data = prepare(composed(*DATA[name]))
    data.spec = replace(data.spec, target=replace(data.spec.target, names=(*data.spec.target.names, "absent")))
    said = " ".join(data.concerns)
    assert f"1 of {len(data.spec.target.names)} classes have no training sample" in said
    assert "cannot learn them: absent." in said
    assert data.class_counts.sum() > 0


def test_values_have_no_classes_to_lack() -> None:
    assert prepare(composed(*DATA["series"])).concerns == []


def test_counts_become_sentences() -> None:
    said = of_classes([100, 9, 0, 30], ["a", "b", "c", "d"], "classes", 50, "Do this.")
    assert said == [
        "1 of 4 classes have no training sample, so the network cannot learn them: c. "
        "data.limit=50 leaves them out, or there are none.",
        "1 of 4 classes have fewer than 10 training samples: b (9).",
        "Classes are imbalanced: 100 training samples of a, 9 of b. Do this.",
    ]
    assert of_classes([39, 10], ["a", "b"], "classes", None, "Do this.") == []
    assert of_classes([400, 10], ["a", "b"], "labels", None, "") == [], "labels need not be balanced"
    assert of_texts(0, 30, 8) == []


@pytest.mark.parametrize("name", ["text_table", "table", "image_folder"])
def test_rare_classes_that_a_limit_loses_are_said(name: str, train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    if name == "image_folder":
        for path in sorted(Path("photos/red").iterdir())[10:]:
            path.unlink()
        limit = 3
    else:
        path, column = ("reviews.csv", "fair") if name == "text_table" else ("houses.csv", "west")
        lines = Path(path).read_text().splitlines(keepends=True)
        rare = [line for line in lines if column in line]
        Path(path).write_text("".join([line for line in lines if column not in line] + rare[:10]))
        limit = 6
    kept = [prepare(composed(*DATA[name], f"data.limit={limit}", f"seed={seed}")) for seed in range(6)]
    lost = [seed for seed, data in enumerate(kept) if (data.class_counts == 0).any()]
    assert lost
    run = train(*DATA[name], f"data.limit={limit}", f"seed={lost[0]}", "trainer.max_epochs=1", small=[])
    out = " ".join("".join(capsys.readouterr()).split())
    assert f"data.limit={limit} leaves them out" in out
    assert run.read_result()["status"] == "finished"
    assert "no training sample" in run.log.read_text()


def test_equal_files_that_leave_a_class_without_training_are_said() -> None:
    """All of a class are copies of an image of another class: they stay together, and count as that one's."""
    source = Path("photos/blue/0.png").read_bytes()
    for path in Path("photos/red").iterdir():
        path.write_bytes(source)
    data = prepare(composed(*DATA["image_folder"], "seed=3"))
    absent = [n for n, count in zip(data.spec.target.names, data.class_counts.tolist(), strict=True) if not count]
    assert all(name in " ".join(data.concerns) for name in absent)
    assert torch.equal(data.targets("train").bincount(minlength=3), data.class_counts)


def test_truncated_texts_are_counted() -> None:
    data = prepare(composed(*DATA["text_table"], "model.max_length=4"))
    lengths = [len(text.split()) for text in data.training_texts]
    assert f"{sum(length > 4 for length in lengths)} of {len(lengths)} training texts are longer" in data.concerns[-1]
    assert prepare(composed(*DATA["text_table"])).concerns == []


@pytest.mark.parametrize("is_balanced", [False, True])
def test_no_advice_is_given_that_was_followed(train: Train, is_balanced: bool, tmp_path: Path) -> None:
    rows = [f"{i % 37 / 7},{'rare' if i % 20 == 0 else 'common'}" for i in range(400)]
    (tmp_path / "weather.csv").write_text("\n".join(["x,sky", *rows]))
    small = ["data=table", "data.path=weather.csv", "data.target=sky", "trainer=cpu", "trainer.max_epochs=1"]
    run = train("model=linear", f"task.balanced={str(is_balanced).lower()}", small=small)
    assert ("are imbalanced" in run.log.read_text()) != is_balanced
