"""The page at the end of a run: what the test gave is shown beside the right samples, and the run is never lost."""

import csv
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import ON_BOXES, ON_HOUSES, ON_LISTED, ON_SCENES, ON_TABLE, ON_WAVE, SMALL, TINY, composed
from pages import check_page
from PIL import Image

from litmus import console
from litmus.config.validate import override
from litmus.record.folder import RunDir
from litmus.report.material import Material
from litmus.report.material import Tested as OfTest  # pytest would take the other name for a test
from litmus.report.page import write
from litmus.run import page
from litmus.run import train as running
from litmus.spec import Values

pytestmark = pytest.mark.page
Train = Callable[..., RunDir]
Litmus = Callable[..., tuple[str, str]]
HOSTILE = "</title><b onclick=alert(1)>&lt;'\x1b[31m</svg>"
FEW = ["trainer.max_epochs=1", "trainer.limit_batches=null", "callback.dashboard.graph=false"]
# A network and a dataset for each kind of input and target.
KINDS = {
    "images": ("fnn", SMALL),
    "images, values": ("cnn", [*ON_LISTED, "data.label=[brightness,share]"]),
    "images, labels": ("cnn", [*ON_LISTED, "data.label=tags", "data.target_separator=|"]),
    "texts": ("lstm", ON_TABLE),
    "texts, values": ("lstm", [*ON_TABLE, "data.label=score"]),
    "rows": ("fnn", ON_HOUSES),
    "rows, values": ("fnn", [*ON_HOUSES, "data.target=[price,rooms]"]),
    "rows, labels": ("fnn", [*ON_HOUSES, "data.path=tagged.csv", "data.target=tags", "data.target_separator=|"]),
    "series": ("lstm", [*ON_WAVE, "data.horizon=3"]),
    "boxes": ("yolo", ON_BOXES),
    "scenes": ("yolo", ON_SCENES),
}
SHOWS = {
    "images": [
        "What is taken for what",
        "taken for",
        "Each class",
        "calibration error",
        "What the first layer looks for",
    ],
    "images, values": ["Predicted and true", "The worst predictions", "How brightness is distributed"],
    "images, labels": ["Each label", "The worst mistakes"],
    "texts": ["What is taken for what", "The worst mistakes", "Some training samples."],
    "texts, values": ["Predicted and true", "The worst predictions"],
    "rows": ["What is taken for what", "Some training samples."],
    "rows, values": [
        "Predicted and true",
        "price:",
        "rooms:",
        "The 90 % interval, from errors in validation, is",
        "without a network: ",
        "ridge regression",
        "training median",
    ],
    "rows, labels": ["Each label"],
    "series": [
        "Forecast and truth",
        "90 % interval",
        "How far forecasts are off",
        "The worst forecasts",
        "without a network: ",
        "ridge regression",
        "naive forecast",
        "Errors of step 3",
    ],
    "boxes": ["validation images: what is there", "are missed", "by their area"],
    "scenes": ["8 validation images", "Average precision of each class"],
}


@pytest.fixture
def materials(monkeypatch: pytest.MonkeyPatch) -> list[Material]:
    """What pages were made of."""
    kept: list[Material] = []

    def noting(material: Material) -> Path:
        kept.append(material)
        return write(material)

    monkeypatch.setattr(page, "write", noting)
    return kept


@pytest.mark.wide
@pytest.mark.usefixtures("tables", "image_files")
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_shows_the_outputs_of_its_samples(train: Train, materials: list[Material], kind: str) -> None:
    model, data = KINDS[kind]
    run = train(f"model={model}", *TINY.get(model, []), *FEW, small=data)
    assert run.read_result()["status"] == "finished"
    text = check_page(run.page)
    assert [words for words in SHOWS[kind] if words not in text] == []
    for path in (run.path / "pictures").iterdir():
        with Image.open(path) as image:
            assert min(image.size) > 50
    tested = materials[0].tested
    assert tested is not None
    _check_sample(tested)
    if kind == "images":
        _check_confusion(run)
    if kind == "boxes":
        result = run.read_result()
        each = [own["map"] for own in result["average_precision"].values()]
        assert np.mean(each) == pytest.approx(result["metrics"]["test/map"])
    numbers, targets, spec = tested.outputs.numbers, tested.data.targets("test"), tested.net.spec
    assert sorted(numbers) == list(range(tested.data.sizes["test"]))
    if targets is None:  # boxes
        stored = tested.data.stored("test")[1]
        assert [len(there) for _, there in tested.outputs.boxes] == [int((own[:, 0] >= 0).sum()) for own in stored]
        return
    expected = targets.double().numpy()[numbers]
    if isinstance(spec.target, Values):
        expected = (expected - np.array(spec.target.mean)) / np.array(spec.target.std)
    assert np.allclose(tested.outputs.targets, expected, atol=1e-4)


def _check_sample(tested: OfTest) -> None:
    """It shows what the dataset stores."""
    own: Any = tested.data
    sample = own.sample("val", 1)
    if sample.image is not None:
        assert sample.image.dtype == np.uint8
        assert torch.equal(torch.from_numpy(sample.image).permute(2, 0, 1), own.stored("val")[0][1:2][0])
    elif sample.text:
        assert "".join(piece.text for piece in sample.text) == own.splits["val"].texts[1]
    elif sample.past is not None:
        assert sample.past.tolist() == own.values[sample.row - own.window : sample.row].tolist()
        assert own.targets("val")[1, 0] == own.values[sample.row]
    else:
        values = {name: own.splits["val"][1][name].item() for name in own.spec.input.by_name()}
        shown = {name: value if isinstance(value, float) else str(value) for name, value in values.items()}
        assert dict(sample.cells) == shown, "what the network sees, without the target"


def _check_confusion(run: RunDir) -> None:
    """The result has the matrix, and a file, too."""
    result = run.read_result()
    matrix = np.array(result["confusion"])
    assert matrix.shape == (10, 10)
    assert matrix.sum() == result["dataset"]["test"]
    assert np.trace(matrix) / matrix.sum() == pytest.approx(result["metrics"]["test/acc"])
    rows = list(csv.DictReader((run.path / "confusion.csv").open()))
    assert {(row["true"], row["predicted"]): int(row["count"]) for row in rows} == {
        (str(i), str(j)): int(matrix[i, j]) for i, j in zip(*np.nonzero(matrix), strict=True)
    }
    assert len(list(csv.DictReader((run.path / "per_class.csv").open()))) == 10


def test_a_failure_while_the_page_is_made_leaves_the_run_alone(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(material: Material) -> Path:
        raise RuntimeError("no ink")

    monkeypatch.setattr(page, "write", failing)
    run = train("model=fnn", *FEW)
    assert run.read_result()["status"] == "finished"
    assert "The run has no page: RuntimeError: no ink. litmus report" in run.log.read_text()
    assert not run.page.exists()


def test_a_sweep_s_job_has_no_page_until_somebody_asks_for_it(tmp_path: Path, litmus: Litmus) -> None:
    run, config = RunDir(tmp_path / "job"), composed(*SMALL, "model=fnn", *FEW)
    run.claim(config)
    with console.log_to(run.log):
        running.train(run, config, time.perf_counter(), is_job=True)
    assert not run.page.exists()
    assert not (run.path / "pictures").exists()
    assert "confusion" in run.read_result()
    assert (run.path / "confusion.csv").is_file()
    litmus("report", str(run.path))
    assert "The worst mistakes" in check_page(run.page)


def test_a_page_is_made_again_and_shows_the_same(
    train: Train, litmus: Litmus, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train("model=fnn", *FEW)
    assert f"page         {run.page}" in capsys.readouterr().out
    before = check_page(run.page).partition("written")[0]
    pictures = {path.name: path.read_bytes() for path in (run.path / "pictures").iterdir()}
    shutil.rmtree(run.path / "pictures")
    run.page.unlink()
    assert f"page         {run.page}" in litmus("report", str(run.path))[0]
    assert check_page(run.page).partition("written")[0] == before
    assert {path.name: path.read_bytes() for path in (run.path / "pictures").iterdir()} == pictures


@pytest.mark.wide
@pytest.mark.usefixtures("tables")
def test_without_its_data_or_weights_a_page_says_what_it_lacks(train: Train, litmus: Litmus) -> None:
    run = train("model=fnn", *FEW, small=ON_HOUSES)
    houses = Path("houses.csv")
    damages: dict[str, tuple[Path, Callable[[Path], object]]] = {
        "changed": (houses, lambda path: path.write_text("\n".join(path.read_text().splitlines()[:-1]) + "\n")),
        "gone": (houses, Path.unlink),
        "no weights": (run.best, Path.unlink),
        "foreign": (run.best, lambda path: path.write_bytes(b"no checkpoint")),
    }
    for damage, (path, break_it) in damages.items():
        whole = path.read_bytes()
        break_it(path)
        litmus("report", str(run.path))
        text = check_page(run.page)
        assert "What the test shows is left out, as the network could not be tested again: " in text, damage
        assert "What is taken for what" not in text
        assert "Training" in text
        path.write_bytes(whole)


def _with(path: str, old: str, new: str = HOSTILE) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def _hostile_photos() -> list[str]:
    folder = Path("photos", HOSTILE.replace("/", ""))
    shutil.move(Path("photos", "red"), folder)
    first = next(folder.iterdir())
    first.rename(first.with_name(f"{folder.name}.png"))
    return ["model=fnn", "data=image_folder", "data.path=photos", "data.size=16"]


def _hostile_texts() -> list[str]:
    _with("reviews.csv", "film")
    _with("reviews.csv", "good")
    return ["model=lstm", *ON_TABLE]


def _hostile_rows() -> list[str]:
    _with("houses.csv", "north")
    _with("houses.csv", "rooms")
    return ["model=fnn", *ON_HOUSES]


def _hostile_values() -> list[str]:
    _with("houses.csv", "price")
    return ["model=fnn", *ON_HOUSES, override("data.target", HOSTILE)]


def _hostile_labels() -> list[str]:
    _with("photos.csv", "warm")
    return ["model=fnn", *ON_LISTED, "data.size=16", "data.label=tags", "data.target_separator=|"]


def _hostile_series() -> list[str]:
    _with("wave.csv", "sales")
    return ["model=lstm", *ON_WAVE, "data.horizon=3"]


def _hostile_boxes() -> list[str]:
    _with("boxes/data.yaml", "green", json.dumps(HOSTILE))
    return ["model=yolo", *ON_BOXES]


@pytest.mark.wide
@pytest.mark.usefixtures("tables", "image_files")
@pytest.mark.parametrize(
    "prepare",
    [
        _hostile_photos,
        _hostile_texts,
        _hostile_rows,
        _hostile_values,
        _hostile_labels,
        _hostile_series,
        pytest.param(_hostile_boxes, marks=pytest.mark.slow),  # which takes as long as all others
    ],
)
def test_names_and_samples_are_texts(train: Train, prepare: Callable[[], list[str]]) -> None:
    run = train(*prepare(), *FEW, small=["trainer=cpu"])
    assert run.read_result()["status"] == "finished"
    assert "<b onclick" in check_page(run.page)


def test_forty_classes_are_shown_as_the_best_and_the_worst_ten(train: Train) -> None:
    rows = [f"{i % 45},{i % 45 + 0.01 * (i % 7)},{(i * 37) % 11}" for i in range(1350)]
    Path("many.csv").write_text("\n".join(["name,x,y", *rows]) + "\n")
    small = ["data=table", "data.path=many.csv", "data.target=name", "data.kind=classes", "trainer=cpu"]
    run = train("model=fnn", *FEW, small=small)
    text = check_page(run.page)
    assert "The ten best and the ten worst of 4" in text
    assert "the pairs that are confused most" in text
    assert "the 10 of the lowest F1" in text
    assert json.dumps(run.read_result()["confusion"])


def test_unknown_and_truncated_words_are_marked(tables: None, train: Train, materials: list[Material]) -> None:
    overrides: list[Any] = ["model=lstm", *TINY.get("lstm", []), "model.max_length=3"]
    run = train(*overrides, *FEW, small=ON_TABLE)
    assert 'class="cut"' in run.page.read_text()
