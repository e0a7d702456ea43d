"""TensorBoard in a real browser: everything that a run of each task has is drawn, and curves at first sight."""

import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest
from browsing import BROWSER, Browser
from helpers import CONF, ON_BOXES, ON_LISTED, ON_TABLE, ON_WAVE, SMALL
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.tensorflow_stub import errors

from litmus.cli._tensorboard import _Reader
from litmus.record.events import event_file, image, scalars
from litmus.record.folder import RunDir

FEW = ["trainer.max_epochs=2", "trainer.limit_batches=4", "callback.dashboard.graph=true"]
FEW += ["callback.dashboard.pictures=true"]
RUNS = {  # overrides, and the images that there are
    "classification": (["model=cnn", *SMALL], ["classes", "confusion_matrix", "predictions"]),
    "multilabel": (["model=cnn", *ON_LISTED, "data.label=tags", "data.target_separator=|"], ["labels"]),
    "regression": (["model=lstm", *ON_WAVE], ["forecast", "predicted_and_true", "residuals"]),
    "detection": (["model=yolo", *ON_BOXES], ["boxes"]),
    "text": (["model=lstm", *ON_TABLE], ["classes", "confusion_matrix"]),
}
PORT = 6098
# TensorBoard's parts are inside of each other's shadow, and the projector inside of two frames.
FUNCTIONS = """
window.deep = (selector, root = document) => {
  const found = [...root.querySelectorAll(selector)];
  for (const each of root.querySelectorAll("*")) {
    if (each.shadowRoot) found.push(...deep(selector, each.shadowRoot));
    if (each.contentDocument) found.push(...deep(selector, each.contentDocument));
  }
  return found;
};
window.texts = (selector) => deep(selector).map((each) => each.textContent.trim());
window.choose = (text) => deep("paper-item").filter((each) => each.textContent.trim() === text)[0].click();
"""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """`litmus dashboard`; gives its address."""
    command = [sys.executable, "-m", "litmus", "dashboard", str(folder), "--port", str(PORT)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    address = f"http://localhost:{PORT}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/data/environment").close()
                break
            except OSError:
                assert time.monotonic() < deadline, "it does not answer"
                time.sleep(0.05)
        yield address
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
@pytest.mark.usefixtures("tables", "image_files")
def test_a_run_of_each_task_is_drawn(
    train: Callable[..., RunDir], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("litmus.callback._projector.FEWEST_SAMPLES", 2)
    assert set(RUNS) == {path.stem for path in (CONF / "task").glob("*.yaml")} | {"text"}
    for name, (small, _) in RUNS.items():
        assert train(*FEW, small=small, folder=f"runs/{name}").read_result()["status"] == "finished"
    with serving(tmp_path / "runs") as address:
        browser = Browser(tmp_path / "profile")
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=FUNCTIONS)
        try:
            curves_at_first_sight(browser, address)
            for name, (_, images) in RUNS.items():
                cards_of_a_run(browser, address, name, images)
            tabs(browser, address)
            graphs(browser, address)
            projector(browser, address)
        finally:
            browser.close()


def visit(browser: Browser, address: str) -> None:
    browser.open("about:blank")  # another tab alone would not load anything
    browser.wait_for("location.href === 'about:blank'")
    browser.open(address)


def is_drawn(browser: Browser, selector: str, least: int) -> bool:
    """Whether the first such element that is to be seen has so many colored pixels."""
    element = f"deep({selector!r}).filter((each) => each.offsetHeight * each.offsetWidth > 400)[0]"
    with suppress(AssertionError):  # the page is being built
        return browser.num_colored(element) >= least
    return False


def wait_until_drawn(browser: Browser, selector: str, what: str, least: int = 30) -> None:
    deadline = time.monotonic() + 20
    while not is_drawn(browser, selector, least):
        if time.monotonic() > deadline:
            browser.seen().save("not_drawn.png")
            pytest.fail(f"{what} is not drawn: {Path('not_drawn.png').resolve()}")
        time.sleep(0.1)


def curves_at_first_sight(browser: Browser, address: str) -> None:
    """Without a click, and loss and metric first."""
    visit(browser, address)
    wait_until_drawn(browser, "scalar-card line-chart", "a curve")
    tags = browser.value("texts('scalar-card .tag')")
    assert tags[0].startswith("train/")
    assert all(tag.startswith(("train/", "val/")) for tag in tags), tags


def cards_of_a_run(browser: Browser, address: str, name: str, images: Sequence[str]) -> None:
    """Its curves, images and histograms, in one tab."""
    wanted = f"^val/({'|'.join(['loss', *images])})$|^within_network/weights"
    visit(browser, f"{address}/?runFilter=%5E{name}%24&tagFilter={quote(wanted)}#timeseries")
    wait_until_drawn(browser, "scalar-card line-chart", f"the loss of {name}")
    assert images
    wait_until_drawn(browser, "image-card img", f"{images[0]} of {name}")
    browser.wait_for(f"texts('image-card .tag').length === {len(images)}")
    shown = "deep('image-card img').filter((each) => each.naturalWidth > 100).length"
    browser.wait_for(f"{shown} === {len(images)}")
    wait_until_drawn(browser, "histogram-card tb-histogram", f"a histogram of {name}")


def tabs(browser: Browser, address: str) -> None:
    """Those that look for something of their own."""
    for tab, selector in (
        ("custom_scalars", "vz-line-chart2"),
        ("images", "img"),
        ("histograms", "vz-histogram-timeseries"),
        ("pr_curves", "vz-line-chart2"),
    ):
        visit(browser, f"{address}/#{tab}")
        wait_until_drawn(browser, selector, tab)
    visit(browser, f"{address}/#text")
    browser.wait_for("texts('th').includes('confidence')")  # mistakes among texts
    browser.wait_for("texts('p').some((each) => each.startsWith('The doctor finds')) || texts('strong').length > 1")
    visit(browser, f"{address}/#hparams")
    for text in (*RUNS, "model"):
        browser.wait_for(f"texts('vaadin-grid-cell-content').includes({text!r})")


def graphs(browser: Browser, address: str) -> None:
    """Each opens on layers."""
    visit(browser, f"{address}/#graphs")
    for name, layers in (("classification", 8), ("text", 4), ("detection", 20)):
        browser.wait_for(f"texts('paper-item').includes({name!r})")
        browser.value(f"choose({name!r})")
        names = "deep('g.node').map((each) => each.dataset.name)"
        browser.wait_for(f"{names}.length >= {layers} && {names}.includes('input')")
        if name == "classification":
            assert "Linear head" in browser.value(names)
        browser.wait_for("deep('g.edge path').length > 3")


def projector(browser: Browser, address: str) -> None:
    """All runs have points; of images, one sees them."""
    visit(browser, f"{address}/#projector")
    browser.wait_for("texts('.numDataPoints').some((each) => Number(each) > 0)")
    items = browser.value("texts('paper-item')")
    assert set(RUNS) <= set(items), items


def written(path: Path, *records: bytes) -> Path:
    path.write_bytes(b"".join(records))
    return path


def test_event_files_are_read_while_they_grow_and_damage_is_found(tmp_path: Path) -> None:
    small = event_file([Event(step=1, summary=scalars({"a": 1.0}))])
    large = event_file([Event(step=2, summary=image("b", bytes(1000), 1, 1))])
    path = written(tmp_path / "events", small, large[:-5])
    reader = _Reader(str(path).encode())
    reader.GetNext()
    assert Event.FromString(reader.record()).step == 1
    with pytest.raises(errors.DataLossError):
        reader.GetNext()
    written(path, small, large)
    reader.GetNext()
    assert Event.FromString(reader.record()).step == 2
    with pytest.raises(errors.OutOfRangeError):
        reader.GetNext()
    for at in (0, 9):
        damaged = bytearray(small)
        damaged[at] ^= 255
        with pytest.raises(errors.DataLossError):
            _Reader(str(written(path, bytes(damaged))).encode()).GetNext()
    header, data = large[:12], large[12:]
    with pytest.raises(errors.DataLossError):
        _Reader(str(written(path, header, b"\xff" * len(data))).encode()).GetNext()
