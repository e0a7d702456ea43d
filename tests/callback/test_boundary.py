"""The decision boundary of two inputs, and the curve of one: each epoch's, from any network, and after a resumption."""

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from browsing import BROWSER, Browser
from faults import Fault, kill
from helpers import ON_HOUSES
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import litmus
from litmus.config.boundaries import MOST_CLASSES, Boundaries
from litmus.inference.load import load_run
from litmus.page.boundary import boundary
from litmus.page.drawing import COLORS
from litmus.record import boundaries
from litmus.record.boundaries import LARGEST
from litmus.record.folder import RunDir

Train = Callable[..., RunDir]
FEW = ["trainer=cpu", "trainer.max_epochs=4", "data.samples=200", "data.min_steps=4", "task.baselines=false"]
PLANE = ["data=toy", "data.kind=moons", *FEW]
CURVE = ["data=toy", "data.kind=sine", *FEW]
SMALL_LAYER = "model.widths=[6]"


def kept(run: RunDir) -> Boundaries:
    found = boundaries.read(run.path)
    assert found is not None
    return found


@pytest.mark.parametrize("model", ["perceptron", "linear", "fnn", "scratch"])
def test_every_epoch_shows_what_the_network_predicts_there(model: str, train: Train) -> None:
    own = [SMALL_LAYER] if model in ("fnn", "scratch") else []
    run = train(f"model={model}", *PLANE, *own, small=[], page=True)
    found = kept(run)
    assert found.epochs.tolist() == [0, 1, 2, 3, 4]
    assert (list(found.names), list(found.classes)) == (["x", "y"], ["0", "1"])
    assert found.units.shape == (5, 6 if own else 0, 3)
    assert (run.path / "pictures" / "boundary.gif").is_file()
    best = run.read_result()["best_epoch"]
    places = [(0, 0), (20, 50), (63, 63)]
    x, y = (np.linspace(low, high, found.side) for low, high in zip(found.low, found.high, strict=True))
    rows = [{"x": x[column], "y": y[row]} for row, column in places]
    predicted = [each["label"] for each in litmus.load(run.path).predict(rows)]
    shown = found.outputs[best].reshape(found.side, found.side, 2)
    assert predicted == [found.classes[int(shown[place].argmax())] for place in places]


def test_a_unit_s_line_is_where_its_sum_is_zero(train: Train) -> None:
    run = train("model=fnn", *PLANE, SMALL_LAYER, small=[])
    found, net = kept(run), load_run(run)
    first = next(module for module in net.modules() if isinstance(module, torch.nn.Linear))
    a, b, c = found.units[run.read_result()["best_epoch"]][0]
    x = 0.3
    numbers = net.spec.input.numbers
    point = [(value - own.mean) / own.std for value, own in zip((x, -(a * x + c) / b), numbers, strict=True)]
    assert float(first(torch.tensor([point], dtype=torch.float32))[0, 0]) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("model", ["linear", "fnn", "scratch"])
def test_a_curve_is_in_the_target_s_unit(model: str, train: Train) -> None:
    run = train(f"model={model}", *CURVE, small=[], page=True)
    found = kept(run)
    assert (list(found.names), found.target, list(found.classes)) == (["x"], "y", [])
    middle = float(np.linspace(found.low[0], found.high[0], found.side)[100])
    (predicted,) = litmus.load(run.path).predict([{"x": middle}])
    assert predicted["values"]["y"] == pytest.approx(
        found.outputs[run.read_result()["best_epoch"], 100, 0], rel=1e-4, abs=1e-5
    )


def test_tensorboard_has_each_and_the_animation_all(train: Train) -> None:
    run = train("model=fnn", *PLANE, small=[], page=True)
    events = EventAccumulator(str(run.path), size_guidance={"images": 0}).Reload()
    assert len(events.Images("val/boundary")) == 5
    with Image.open(run.path / "pictures" / "boundary.gif") as animation:
        assert animation.n_frames == 5  # type: ignore[attr-defined]  # of GIF files
    page = (run.path / "report.html").read_text(encoding="utf-8")
    assert page.count('type="radio"') == 5
    assert 'id="boundary-5" checked' in page


def test_they_are_about_so_many_and_can_be_left_out(train: Train) -> None:
    words = [*PLANE, "trainer.max_epochs=12", "data.min_steps=1"]
    assert kept(train("model=linear", *words, "callback.boundary.frames=4", small=[])).epochs.tolist() == [
        *(0, 1, 3, 6, 9, 12)
    ]
    none = train("model=linear", *words, "callback.boundary.frames=0", folder="none", small=[])
    assert boundaries.read(none.path) is None
    words += ["trainer.max_epochs=80", "callback.boundary.frames=20", "optimizer.lr=1e-12"]
    early = train("model=linear", *words, "callback.early_stopping.patience=5", folder="early", small=[])
    assert early.read_result()["epochs"] == 6
    assert kept(early).epochs.tolist() == [0, 1, 4, 6], "the last one, whenever that was"


def test_a_resumed_run_has_those_of_all_its_epochs(train: Train, resume: Train) -> None:
    words = ["model=fnn", *PLANE, SMALL_LAYER]
    straight = train(*words, folder="straight", small=[])
    killed = train(*words, small=[], watching=[Fault(kill(signal.SIGINT), epoch=2, batch=1)])
    resume(killed)
    for name in ("epochs", "outputs", "units", "inputs", "targets"):
        assert np.array_equal(getattr(kept(straight), name), getattr(kept(killed), name)), name


def test_they_change_no_weight(train: Train) -> None:
    words = ["model=fnn", *PLANE, "model.dropout=0.2", "model.batchnorm=true", "callback.ema.decay=0.9"]
    runs = [train(*words, f"callback.boundary.frames={most}", folder=str(most), small=[]) for most in (40, 0)]
    first, second = (torch.load(run.last, weights_only=True)["state_dict"] for run in runs)
    assert all(torch.equal(tensor, second[name]) for name, tensor in first.items())
    assert kept(runs[0]).units.shape[1] == 0, "batch norm moves the lines"


def test_a_plane_is_white_where_the_class_changes() -> None:
    side, middle = 8, 4
    first = np.tile(np.arange(side) < middle, side)
    outputs = np.stack([first, ~first], axis=1).astype(np.uint8)[None] * 255
    ends = np.array([0.0, 0.0]), np.array([8.0, 8.0])
    none = np.zeros((0, 2)), np.zeros(0)
    made = Boundaries(["x", "y"], ["a", "b"], "", np.array([3]), outputs, np.zeros((1, 0, 3)), *ends, *none)
    drawn = np.asarray(boundary(made, 0).raster(scale=1)).astype(int)
    row = drawn[drawn.shape[0] // 2]
    white = np.flatnonzero((row == 255).all(axis=1))
    inside = white[(white > 80) & (white < drawn.shape[1] - 40)]
    assert 0 < len(inside) < drawn.shape[1] // 6
    assert row[inside.min() - 5].tolist() != row[inside.max() + 5].tolist()


VISIBLE = "[...document.querySelectorAll('.frames > div')].map(each => each.getClientRects().length)"


@pytest.mark.wide
@pytest.mark.skipif(BROWSER is None, reason="there is no chromium on PATH")
def test_a_page_shows_one_epoch_at_a_time_by_mouse_and_keyboard(train: Train, tmp_path: Path) -> None:
    run = train("model=fnn", *PLANE, "trainer.max_epochs=2", small=[], page=True)
    browser = Browser(tmp_path / "profile")
    try:
        browser.open((run.path / "report.html").as_uri())
        browser.wait_for("document.querySelectorAll('.frames > div').length == 3")
        assert browser.value(VISIBLE) == [0, 0, 1], "the last one first"
        browser.value("document.querySelectorAll('.frames label')[0].click()")
        assert browser.value(VISIBLE) == [1, 0, 0]
        browser.value("document.getElementById('boundary-1').focus()")
        for kind in ("rawKeyDown", "keyUp"):
            browser.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", windowsVirtualKeyCode=39)
        browser.wait_for("document.getElementById('boundary-2').checked")
        assert browser.value(VISIBLE) == [0, 1, 0]
    finally:
        browser.close()


def test_a_picture_that_fails_ends_no_run(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("litmus.callback.boundary.write", fail)
    monkeypatch.setattr("litmus.callback.boundary._Grid.units", fail)
    run = train("model=linear", *PLANE, small=[])
    assert run.read_result()["status"] == "finished"
    assert boundaries.read(run.path) is None


@pytest.mark.usefixtures("tables")
def test_other_data_have_none(train: Train) -> None:
    assert boundaries.read(train("model=fnn", *ON_HOUSES, "trainer.max_epochs=1", small=[]).path) is None


def test_there_is_a_color_for_each_class() -> None:
    assert len(COLORS) == MOST_CLASSES


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": ["a"] * 7, "outputs": np.zeros((1, 4, 7), np.uint8)},
        {"outputs": np.zeros((1, 4, 3), np.uint8)},
        {"outputs": np.zeros((2, 4, 2), np.uint8)},
        {"names": ["x", "y", "z"]},
        {"high": np.zeros(2)},
        {"low": np.full(2, -1e308), "high": np.full(2, 1e308)},
        {"classes": [], "outputs": np.zeros((1, 4, 1), np.uint8)},
        {"outputs": np.full((1, 4, 2), "a")},
        {"epochs": np.zeros((1, 1))},
        {"outputs": np.zeros((1, 100**2, 2), np.uint8)},
        {"units": np.zeros((1, 1000, 3))},
        {"inputs": np.zeros((1000, 2)), "targets": np.zeros(1000)},
        {"units": np.zeros((1, 0, 3, 1))},
        {"targets": np.zeros(3)},
        {"inputs": np.zeros((LARGEST // 16 + 1, 2)), "targets": np.zeros(LARGEST // 16 + 1)},
    ],
    ids=[
        "classes",
        "outputs",
        "epochs",
        "names",
        "high",
        "wide",
        "none",
        "text",
        "table",
        "fine",
        "lines",
        "samples",
        "units",
        "targets",
        "size",
    ],
)
def test_parts_that_do_not_fit_are_not_shown(changes: dict[str, object], tmp_path: Path) -> None:
    none, ends = (np.zeros((0, 2)), np.zeros(0)), (np.zeros(2), np.ones(2))
    whole = Boundaries(
        ["x", "y"], ["a", "b"], "", np.array([1]), np.zeros((1, 4, 2), np.uint8), np.zeros((1, 0, 3)), *ends, *none
    )
    boundaries.write(tmp_path, whole)
    assert boundaries.read(tmp_path) is not None
    boundaries.write(tmp_path, replace(whole, **changes))
    assert boundaries.read(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", None])
def test_a_damaged_file_is_said_and_not_shown(content: bytes | None, tmp_path: Path) -> None:
    if content is None:
        (tmp_path / boundaries.FILE).mkdir()
    else:
        (tmp_path / boundaries.FILE).write_bytes(content)
    assert boundaries.read(tmp_path) is None
