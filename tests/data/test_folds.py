"""Cross-validation, for every dataset whose split is litmus' own."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from covering import each_once
from every_data import DATA, content, prepared
from helpers import composed

from litmus.config.instantiate import build
from litmus.config.preflight import preflight
from litmus.config.validate import signature
from litmus.data._base import Data
from litmus.data._folds import Fold
from litmus.data._split import split_rows, split_samples
from litmus.errors import UserError
from litmus.record.folder import RunDir

FOLDS = 3
UNFIT = {
    ("data.folds=5",): "data.folds=5 needs data.fold, one of 0 to 4",
    ("data.fold=1",): "data.fold=1 needs data.folds",
    ("data.folds=5", "data.fold=5"): "it is one of 0 to 4",
}
FOLDING = [name for name in DATA if "folds" in signature(composed(f"data={name}")["data"]["_target_"])]

pytestmark = pytest.mark.usefixtures("tables", "image_files", "snippets", "published", "hub_copies")


@pytest.fixture
def fold(image_files: None) -> Callable[..., Data]:  # writes them into the current folder
    """A dataset with a fold for validation."""
    described = Path("boxes/data.yaml")
    lines = described.read_text().splitlines(keepends=True)
    described.write_text("".join(line for line in lines if not line.startswith("val:")))

    def make(name: str, number: int, *overrides: str) -> Data:
        return prepared(name, f"data.folds={FOLDS}", f"data.fold={number}", *overrides)

    return make


def test_a_split_by_time_or_by_scenes_has_no_folds() -> None:
    assert set(DATA) - set(FOLDING) == {"series", "mnist_boxes"}


@pytest.mark.wide
@pytest.mark.parametrize("name", FOLDING)
def test_each_sample_validates_once_and_the_test_stays(name: str, fold: Callable[..., Data]) -> None:
    folds = [fold(name, number) for number in range(FOLDS)]
    validated = [sample for data in folds for sample in content(data, "val")]
    for data in folds:
        assert sorted(validated) == sorted(content(data, "train") + content(data, "val"))
        assert content(data, "test") == content(folds[0], "test") == content(prepared(name), "test")
    sizes = [data.sizes["val"] for data in folds]
    assert max(sizes) - min(sizes) <= (10 if name == "sentiment" else 1), "of like size, as far as groups allow"


@pytest.mark.wide
@pytest.mark.parametrize("name", FOLDING)
def test_a_fold_is_the_same_each_time_and_another_by_another_seed(name: str, fold: Callable[..., Data]) -> None:
    first, again = fold(name, 1, "data.split_seed=4"), fold(name, 1, "data.split_seed=4", "seed=9")
    other = fold(name, 1, "data.split_seed=5")
    assert content(first, "val") == content(again, "val")
    assert content(first, "val") != content(other, "val")


@pytest.mark.parametrize("by_rows", [False, True])
def test_folds_are_stratified_and_keep_groups_together(by_rows: bool) -> None:
    groups, strata = np.arange(600) // 2, np.arange(600) // 2 % 10 // 9  # one group of ten is rare

    def validated(number: int) -> list[int]:
        if by_rows:
            return split_rows(groups, strata, val=Fold(number, 4), test=None, seed=2)["val"].tolist()
        own = [[group] for group in groups.tolist()]
        return split_samples(own, strata.tolist(), val=Fold(number, 4), test=None, seed=2)["val"]

    for number in range(4):
        rows = validated(number)
        assert Counter(Counter(groups[rows].tolist()).values()) == {2: len(rows) // 2}
        assert strata[rows].mean() == pytest.approx(0.1, abs=0.02)


def test_a_column_of_groups_stays_together(tmp_path: Path) -> None:
    rows = [{"x": i % 7 + 0.5, "who": f"person {i // 5}", "label": "ab"[i % 2]} for i in range(100)]
    pl.DataFrame(rows).write_csv(tmp_path / "grouped.csv")
    words = ["model=fnn", "data=table", f"data.path={tmp_path}/grouped.csv", "data.target=label", "data.group=who"]
    found: list[str] = []
    for number in range(FOLDS):
        data: Data = build(composed(*words, f"data.folds={FOLDS}", f"data.fold={number}")["data"], 0)
        data.prepare_data()
        held, trained = (set(data.splits[split]["who"]) for split in ("val", "train"))
        assert not held & trained
        found += held
    assert len(found) == len(set(found)) == 17, "of 20 people, 3 test"


@pytest.mark.parametrize(("name", "overrides"), each_once(FOLDING, list(UNFIT)))
def test_what_does_not_fit_together_is_said_before_and_by_the_class(name: str, overrides: tuple[str, ...]) -> None:
    said = UNFIT[overrides]
    assert said in preflight(composed(*DATA[name], *overrides))[0]
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        prepared(name, *overrides)


@pytest.mark.parametrize("name", ["text_table", "table"])
def test_a_table_for_validation_excludes_folds(name: str) -> None:
    path = composed(*DATA[name])["data"]["path"]
    words = [f"data.val_path={path}", "data.folds=3", "data.fold=0"]
    assert "data.folds=3 makes the validation split" in preflight(composed(*DATA[name], *words))[0]


def test_time_excludes_folds() -> None:
    words = [*DATA["table"], "data.time=built", "data.folds=3", "data.fold=0"]
    assert "data.folds=3 validates on rows at random" in preflight(composed(*words))[0]


def test_a_run_says_which_fold_it_was_and_resumes_on_it(
    train: Callable[..., RunDir], resume: Callable[..., RunDir]
) -> None:
    run = train("model=fnn", "data.folds=4", "data.fold=2")
    dataset = run.read_result()["dataset"]
    assert (dataset["folds"], dataset["fold"], dataset["val"]) == (4, 2, 400)
    resumed = resume(run, "trainer.max_epochs=3")
    assert resumed.read_result()["dataset"]["fold"] == 2
    assert "fold" not in train("model=fnn", folder="whole").read_result()["dataset"]
