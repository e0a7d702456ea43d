"""Runs' pages in a real browser: they ask for nothing, fit a telephone, and are dark where a person wants that."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browsing import BROWSER, OWN, browse, noting_requests
from helpers import ON_HOUSES, ON_LISTED, ON_TABLE, ON_WAVE, SMALL, TINY

from litmus.record.folder import RunDir

pytestmark = pytest.mark.page
Train = Callable[..., RunDir]
FEW = ["trainer.max_epochs=1", "callback.dashboard.graph=false"]
KINDS = {
    "images": ("fnn", SMALL),
    "labels": ("cnn", [*ON_LISTED, "data.label=tags", "data.target_separator=|"]),
    "texts": ("lstm", ON_TABLE),
    "values": ("fnn", [*ON_HOUSES, "data.target=[price,rooms]"]),
    "series": ("lstm", [*ON_WAVE, "data.horizon=3"]),
}
MEASURE = """<!DOCTYPE html><title></title>
<iframe id=frame src=PAGE style="width:360px;height:800px;border:0"></iframe>
<script>onload = () => {
  const inside = document.getElementById("frame").contentDocument;
  const shown = inside.defaultView.getComputedStyle(inside.body);
  document.title = `width ${inside.documentElement.scrollWidth} paper ${shown.backgroundColor}`;
}</script>"""


@pytest.mark.wide
@pytest.mark.skipif(BROWSER is None, reason="there is no chromium on PATH")
@pytest.mark.usefixtures("tables", "image_files")
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[] if kind in ("images", "series") else [pytest.mark.slow]) for kind in KINDS]
)
def test_a_page_fits_a_telephone_is_dark_on_request_and_asks_for_nothing(
    train: Train, tmp_path: Path, kind: str
) -> None:
    model, data = KINDS[kind]
    run = train(f"model={model}", *TINY.get(model, []), *FEW, small=data)
    measure = run.path / "measure.html"
    measure.write_text(MEASURE.replace("PAGE", run.page.name))
    papers = []
    with noting_requests() as (port, received):
        for scheme in ("1", "0"):  # light, dark
            flags = ("--allow-file-access-from-files", f"--blink-settings=preferredColorScheme={scheme}")
            text = browse(measure, tmp_path / "profile", port, *flags)
            found = re.search(r"<title>width (\d+) paper (.*?)</title>", text)
            assert found is not None, text[:500]
            assert int(found[1]) <= 360
            papers.append(found[2])
        own = {request for request in received if OWN.search(request)}
        assert [request for request in received if request not in own and "google" not in request] == []
    assert papers == ["rgb(255, 255, 255)", "rgb(18, 22, 27)"]
