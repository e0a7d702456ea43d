"""`data=hub` with the hub's own library, on files of this machine; skipped where `litmus[hub]` is not installed."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from helpers import composed
from PIL import Image

from litmus.config.instantiate import build

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("datasets") is None, reason="pip install 'litmus[hub]'"),
]
HUB = Path("data/hub")


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("litmus.fetch.hub.reachable", lambda: False)


def prepared(*overrides: str) -> Any:
    data = build(composed("data=hub", *overrides)["data"], 0)
    data.prepare_data()
    data.setup()
    return data


def rows(number: int, label: int | None = None) -> Any:
    import datasets

    classes = datasets.ClassLabel(names=["neg", "pos"])
    features = datasets.Features({"text": datasets.Value("string"), "label": classes})
    made = [{"text": f"film {i}", "label": i % 2 if label is None else label} for i in range(number)]
    return datasets.Dataset.from_list(made, features=features)


def test_what_it_saved() -> None:
    import datasets

    splits = {"train": rows(100), "test": rows(20), "unsupervised": rows(9, -1)}
    datasets.DatasetDict(splits).save_to_disk(str(HUB / "imdb"))
    data = prepared("data.name=imdb")
    assert data.sizes == {"train": 90, "val": 10, "test": 20}
    assert data.spec.target.names == ("neg", "pos")
    rows(50).save_to_disk(str(HUB / "owner" / "one"))
    assert sum(prepared("data.name=owner/one").sizes.values()) == 50


def test_parquet_with_dates_labels_and_secret_targets() -> None:
    import datasets

    (HUB / "tags").mkdir(parents=True)
    tags = datasets.List(datasets.ClassLabel(names=["new", "paid"]))
    kinds = {"when": datasets.Value("timestamp[s]"), "size": datasets.Value("float32"), "count": datasets.Value("int8")}
    made = [{"when": i * 10**5, "size": i / 7, "count": i % 5, "tags": [0] * (i % 2) + [1]} for i in range(60)]
    whole = datasets.Dataset.from_list(made, features=datasets.Features({**kinds, "tags": tags}))
    whole.to_parquet(str(HUB / "tags" / "train.parquet"))
    data = prepared("data.name=tags")
    assert data.spec.target.names == ("new", "paid")
    assert {name for name, _, _ in data.columns} == {"when", "size", "count"}
    (HUB / "secret").mkdir()
    rows(80).to_parquet(str(HUB / "secret" / "train.parquet"))
    rows(30, -1).to_parquet(str(HUB / "secret" / "test.parquet"))
    assert prepared("data.name=secret").sizes == {"train": 64, "val": 8, "test": 8}


def test_a_folder_of_images() -> None:
    for split, number in (("train", 20), ("test", 6)):
        for name, color in (("cat", "red"), ("dog", "blue")):
            folder = HUB / "animals" / split / name
            folder.mkdir(parents=True)
            for i in range(number):
                Image.new("RGB", (12, 10 + i), color).save(folder / f"{i}.jpg")
    data = prepared("data.name=animals", "data.size=16")
    assert data.sizes == {"train": 36, "val": 4, "test": 12}
    assert data.spec.target.names == ("cat", "dog")
