"""The pictures of README.md, of real runs: a run's page and TensorBoard in a browser, and a comparison's curves."""

import base64
import io
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from PIL import Image
from transcripts import COLUMNS, ROOT, environment, run

sys.path.append(str(ROOT / "tests"))
from browsing import Browser  # the one that the tests drive

PORT = 6123
LARGEST = 100_000  # bytes of a picture
SETTINGS = "model.dropout=0,0.2 optimizer.lr=1e-3,3e-3,1e-2 trainer.max_epochs=4 sweep.name=six"
BOUNDARY = "python train.py model=fnn model.widths=[8] data=toy data.kind=circles"
SWEEP = f"python train.py -m model=fnn {SETTINGS}"
STARTS_S, DRAWS_S = 60.0, 10.0  # within which TensorBoard answers, and its charts are drawn
REVIEW = "A gripping and beautiful film, funny and moving, though the end is too long and the music is bad."
FILTERS, NUM_FILTERS = 4, 32  # rows of the picture that are shown, of those of a CNN's first layer
CURVES = "*curves*.png"  # of `litmus compare`
CLOSE = "document.querySelector('[aria-label=\"Close side pane\"]')?.click()"  # settings, a fourth of the width
TABS = (("tensorboard", "cnn-mnist", "timeseries", 1000), ("hparams", "sweeps/six", "hparams", 520))


def write(folder: Path) -> None:
    """Trains in a folder that `transcripts.write` has used, and writes the pictures.

    Raises:
        ValueError: a run or the comparison of the transcripts is not there.
    """
    run(BOUNDARY, folder, COLUMNS)
    (animation,) = (folder / "outputs" / "fnn-toy").glob("*/pictures/boundary.gif")
    shutil.copyfile(animation, ROOT / "docs" / "boundary.gif")
    run(SWEEP, folder, COLUMNS)
    (page,) = (folder / "outputs" / "cnn-mnist").glob("*/report.html")
    with browser() as shows:
        shows.call("Emulation.setScrollbarsHidden", hidden=True)
        _resize(shows, 1100, 1500)
        shows.open(page.as_uri())
        shows.wait_for("document.querySelectorAll('svg').length > 3")
        _take(shows, "report")
        for name, runs, tab, height in TABS:
            _resize(shows, 1300, height)
            with dashboard(folder, f"outputs/{runs}"):
                shows.open(f"http://localhost:{PORT}/#{tab}")
                time.sleep(DRAWS_S)
                shows.value(CLOSE)
                time.sleep(DRAWS_S / 5)  # charts grow into the place
                _take(shows, name)
    _explain(folder, page.parent)
    curves, *_ = sorted((folder / "outputs" / "sweeps" / "dropout" / "compare").rglob(CURVES))
    _save(curves.read_bytes(), "curves")


def _explain(folder: Path, digits: Path) -> None:
    """The pictures of docs/explain.md, by the verbs that make them.

    Args:
        folder: in which commands are run; it has the photo of a digit.
        digits: the run folder of a CNN.
    """
    run(f"litmus explain {digits} three.png --out why", folder, COLUMNS)
    _save((folder / "why" / "1.png").read_bytes(), "explained")
    run(f"litmus filters {digits} --out filters", folder, COLUMNS)
    with Image.open(folder / "filters" / "filters.png") as rows:
        top = io.BytesIO()
        rows.crop((0, 0, rows.width, FILTERS * rows.height // NUM_FILTERS)).save(top, "PNG")
    _save(top.getvalue(), "filters")
    run("python train.py model=lstm data=sentiment hydra.run.dir=outputs/words", folder, COLUMNS)
    run(f"litmus explain outputs/words '{REVIEW}' --out words", folder, COLUMNS)
    _save((folder / "words" / "1.png").read_bytes(), "words")


@contextmanager
def browser() -> Iterator[Browser]:
    """A browser, ended at the end."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        shows = Browser(Path(profile))
        try:
            yield shows
        finally:
            shows.close()


@contextmanager
def dashboard(folder: Path, runs: str) -> Iterator[None]:
    """In the body, TensorBoard shows the runs."""
    command = [sys.executable, "-m", "litmus", "dashboard", runs, "--port", str(PORT)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    server = subprocess.Popen(command, cwd=folder, env=environment(folder, COLUMNS), **quiet)
    try:
        deadline = time.monotonic() + STARTS_S
        while time.monotonic() < deadline:
            with suppress(OSError):
                urllib.request.urlopen(f"http://localhost:{PORT}/data/plugin/scalars/tags").close()
                break
            time.sleep(0.2)
        yield
    finally:
        server.terminate()
        server.wait()


def _resize(shows: Browser, width: int, height: int) -> None:
    sizes = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    shows.call("Emulation.setDeviceMetricsOverride", **sizes)


def _take(shows: Browser, name: str) -> None:
    _save(base64.b64decode(shows.call("Page.captureScreenshot", format="png")["data"]), name)


def _save(content: bytes, name: str) -> None:
    """Writes docs/NAME.png, with as many colors as its size allows."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    for colors in (256, 128, 64, 32, 16):
        made = io.BytesIO()
        reduced = picture.quantize(colors, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        reduced.save(made, "PNG", optimize=True)
        if made.tell() < LARGEST:
            break
    (ROOT / "docs" / f"{name}.png").write_bytes(made.getvalue())
