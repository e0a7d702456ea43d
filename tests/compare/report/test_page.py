"""What `litmus compare` draws: the report in a real browser, figures, TensorBoard runs, and how long it takes."""

import html
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from browsing import BROWSER, OWN, browse, noting_requests
from made_runs import made
from pages import check_page
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from litmus.compare import curves
from litmus.compare.comparison import Comparison, compare
from litmus.compare.effects import main_effects
from litmus.compare.report import appendix, figures, output, page
from litmus.record.folder import RunDir

HOSTILE = "<script>document.title='taken'</script><img src=http://example.com/a.png onerror=alert(1)>"


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two keys, three seeds; a run that failed, one that is running, one whose texts are hostile. Compared already."""
    folder = tmp_path_factory.mktemp("compared") / "sweep"
    for i, lr in enumerate((0.001, 0.003, 0.01)):
        for j, dropout in enumerate((0.0, 0.5)):
            for seed in range(3):
                value = 0.95 - 0.01 * i - 0.0005 * j + 0.002 * seed + 0.001 * math.sin(7 * i + 3 * j + 5 * seed)
                changes = {"optimizer": {"lr": lr}, "model": {"dropout": dropout}}
                name = f"lr={lr},dropout={dropout},seed={seed}"
                made(folder / name, "model=fnn", value=value, seed=seed, changes=changes)
    lines = "\n".join([f"line {i}" for i in range(40)] + [HOSTILE])
    made(folder / "failed", "model=fnn", seed=9, status="failed", error=f"ValueError: {HOSTILE}", log=lines)
    made(folder / "running", "model=fnn", seed=8, status=None)
    made(folder / "hostile", "model=fnn", value=0.5, changes={"model": {"activation": HOSTILE}})
    written(folder)
    return folder


@pytest.fixture
def requests() -> Iterator[tuple[int, list[str]]]:
    with noting_requests() as found:
        yield found


@pytest.mark.wide
def test_the_report_is_valid_whatever_names_and_logs_hold(sweep: Path) -> None:
    assert HOSTILE in check_page(sweep / "compare" / "report.html")


@pytest.mark.wide
@pytest.mark.skipif(BROWSER is None, reason="there is no chromium on PATH")
def test_the_report_opens_in_a_browser_without_a_network_request(
    sweep: Path, tmp_path: Path, requests: tuple[int, list[str]]
) -> None:
    page = sweep / "compare" / "report.html"
    port, received = requests
    blank = tmp_path / "blank.html"
    blank.write_text("<title>Nothing</title>")
    browse(blank, tmp_path / "profile", port)
    own = set(received)  # of this version, besides
    seen = browse(page, tmp_path / "profile", port)
    assert [request for request in received if request not in own and not OWN.search(request)] == []
    assert "<title>Comparison of" in seen
    assert "not significant" in seen
    assert "optimizer.lr" in seen
    assert seen.count("<figure>") == 4
    assert "<script" not in seen
    assert "line 39" in seen
    # And were there a request, it would be seen.
    open_page = tmp_path / "open.html"
    open_page.write_text('<img src="http://example.com/seen.png">')
    browse(open_page, tmp_path / "profile", port)
    assert any("example.com/seen.png" in request for request in received)


def written(folder: Path) -> Path:
    out = folder / "compare"
    comparison = compare([folder], None, None)
    output.write(out, output.texts(comparison), comparison)
    return out


@pytest.mark.wide
def test_the_report_is_one_file_with_everything(sweep: Path) -> None:
    text = (sweep / "compare" / "report.html").read_text()
    assert not re.search(r"(src|href)=\"(?!#|data:)", text.replace("xlink:", "")), "only fragments and data"
    assert "@import" not in text
    assert "url(http" not in text
    assert "default-src 'none'" in text
    plain = html.unescape(re.sub("<[^>]*>", " ", text))
    for words in (
        "Ranking: mnist, val/acc",
        "not significant",
        "Configuration differences",
        "Failures (1)",
        "ValueError: <script>",
        "line 39",
        "Not ranked (1)",
        "unfinished",
        "Run time",
    ):
        assert words in plain
    assert "line 25" not in plain.split(), "only the last lines"
    assert plain.index("Ranking: mnist") < plain.index("by epoch") < plain.index("Failures (1)"), "the ranking first"


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({0.1: [0.97], 0.2: [0.9, 0.93, 0.92]}, "1 could not be tested: too few common seeds."),
        ({0.1: [0.85, 0.86, 0.87]}, "1 could not be tested: the same difference on every seed."),
    ],
)
def test_what_is_not_tested_has_its_reason(tmp_path: Path, others: dict[float, list[float]], words: str) -> None:
    for lr, values in {0.003: [0.95, 0.96, 0.97], **others}.items():
        for seed, value in enumerate(values):
            made(tmp_path / f"{lr},{seed}", "model=fnn", value=value, seed=seed, changes={"optimizer": {"lr": lr}})
    assert words in (written(tmp_path) / "report.html").read_text()


def test_ranked_runs_are_linked_to_their_own_pages(tmp_path: Path) -> None:
    for seed in range(2):
        made(tmp_path / f"a b,{seed}?", "model=fnn", seed=seed)
    (tmp_path / "a b,1?" / "report.html").write_text("<!DOCTYPE html>")
    out = written(tmp_path)
    links = re.findall(r'<a href="([^#"][^"]*)">(seed \d)</a>', (out / "report.html").read_text())
    assert [words for _, words in links] == ["seed 1"]
    assert '<code class="links">litmus report ' in (out / "report.html").read_text(), "the other seed has none yet"
    assert (out / unquote(links[0][0])).samefile(tmp_path / "a b,1?" / "report.html")


def test_hostile_texts_are_texts(sweep: Path) -> None:
    out = sweep / "compare"
    text = (out / "report.html").read_text()
    assert "<script" not in text
    assert "<img" not in text
    assert text.count("&lt;script&gt;") > 2
    for figure in (out / "figures").glob("*.svg"):
        names = {element.tag.rpartition("}")[2] for element in ET.parse(figure).iter()}
        assert not names & {"script", "img", "image", "foreignObject"} or "heat-map" in figure.name
        assert "script" not in names


def test_identifiers_of_the_drawings_do_not_meet(sweep: Path) -> None:
    text = (sweep / "compare" / "report.html").read_text()
    ids = re.findall(r'\sid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
    assert used <= set(ids)


def drawn(comparison: Comparison) -> dict[str, str]:
    return {figure.name: figure.caption for figure in figures.draw_ranking(comparison.rankings[0], "")}


def test_figures_are_what_can_be_drawn(sweep: Path, tmp_path: Path) -> None:
    out = sweep / "compare"
    names = {"curves", "main-effects", "heat-map", "parallel-coordinates"}
    assert {path.name for path in (out / "figures").iterdir()} == {
        f"{n}.{e}" for n in names for e in ("pdf", "png", "svg")
    }
    assert all((out / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG") for name in names)
    assert all((out / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF") for name in names)
    made(tmp_path / "one", "model=fnn")
    assert set(drawn(compare([tmp_path / "one"], None, None))) == {"curves"}


@pytest.mark.wide
def test_a_caption_says_what_is_omitted(tmp_path: Path) -> None:
    for i in range(9):
        changes = {"model": {"dropout": i / 10}, "optimizer": {"lr": 0.001 + i % 2}, "data": {"batch_size": 8 + i % 2}}
        made(tmp_path / str(i), "model=fnn", value=0.9 + i / 1000, changes=changes)
    captions = drawn(compare([tmp_path], None, None))
    assert captions["curves"].startswith("The best 8 of 9 settings")
    assert "optimizer.lr changed with data.batch_size (confounded)." in captions["main-effects"], "one effect, not two"


@pytest.mark.wide
def test_figures_and_report_name_what_diverged(tmp_path: Path) -> None:
    settings = [(lr, dropout) for lr in (0.1, 0.2, 9.0) for dropout in (0.0, 0.5)]
    for i, (lr, dropout) in enumerate(settings):
        ended = {"status": "diverged", "epochs": 0} if i == 5 else {}
        changes = {"model": {"dropout": dropout}, "optimizer": {"lr": lr}}
        for seed in range(3):
            value = 0.9 + math.sin(7 * i + 5 * seed) / 99
            made(tmp_path / f"{i}-{seed}", "model=fnn", value=value, seed=seed, changes=changes, **ended)
    comparison = compare([tmp_path], None, None)
    every = {figure.name: figure for figure in figures.draw_ranking(comparison.rankings[0], "")}
    assert "diverged" in every["heat-map"].svg
    assert "diverged" not in every["heat-map"].caption
    assert "empty cells" not in every["heat-map"].caption
    assert "1 setting diverged on some seed" in every["main-effects"].caption
    text = " ".join(page.page(comparison, [], [list(every.values())], []).split())
    assert "of the 5 other settings" in text
    assert "1 diverged." in text


def test_values_at_an_axis_do_not_run_into_each_other(tmp_path: Path) -> None:
    for i, rate in enumerate((0.0, 0.01, 0.02, 0.25, 0.49, 0.5)):
        made(tmp_path / str(i), "model=fnn", value=0.9 + i / 99, changes={"model": {"dropout": rate}})
    (ranking,) = compare([tmp_path], None, None).rankings
    (effect,) = main_effects(ranking)
    assert [effect.texts[i] for i in sorted(figures.labeled_places(effect))] == ["0", "0.25", "0.5"]


@pytest.mark.wide
def test_many_keys_have_several_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "PER_PAGE", 2)
    for i in range(4):
        made(
            tmp_path / str(i), "model=fnn", value=0.9 + i / 99, changes={"model": {f"key{j}": i == j for j in range(3)}}
        )
    captions = drawn(compare([tmp_path], None, None))
    assert {"main-effects-1", "main-effects-2"} <= set(captions)


def test_a_mean_curve_ends_with_the_first_of_its_runs() -> None:
    rows = [[{"epoch": e, "val/acc": e / 10 + s} for e in range(1, n + 1)] for s, n in ((0.0, 3), (0.2, 2))]
    of = curves.mean_curve(rows, "val/acc")
    assert of.epochs == [1, 2]
    assert of.mean == pytest.approx([0.2, 0.3])
    assert (of.low, of.high) == (pytest.approx([0.1, 0.2]), pytest.approx([0.3, 0.4]))


def test_mean_curves_are_tensorboard_runs(tmp_path: Path) -> None:
    for seed, value in enumerate((0.8, 0.9)):
        made(tmp_path / str(seed), "model=fnn", value=value, seed=seed)
    made(tmp_path / "other", "model=fnn", value=0.5, changes={"optimizer": {"lr": 0.5}})
    folder = written(tmp_path) / "tensorboard"
    assert {path.name for path in folder.iterdir()} == {"optimizer.lr=0.003", "optimizer.lr=0.5"}
    events = EventAccumulator(str(folder / "optimizer.lr=0.003"))
    events.Reload()
    points = events.Scalars("val/acc")
    assert [point.step for point in points] == [100, 200, 300, 400]
    assert points[-1].value == pytest.approx(0.85)
    assert set(events.Tags()["scalars"]) == {"train/loss", "val/loss", "val/acc"}


@pytest.mark.wide
def test_matplotlib_writes_nothing_into_the_home_folder(sweep: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "MPLCONFIGDIR"} | {"HOME": str(home)}
    command = [sys.executable, "-m", "litmus", "compare", str(sweep)]
    subprocess.run(command, check=True, env=environment, timeout=60, capture_output=True)
    assert list(home.iterdir()) == []


@pytest.mark.slow
def test_a_thousand_runs_take_less_than_ten_seconds(tmp_path: Path) -> None:
    for i in range(1000):
        changes = {"optimizer": {"lr": 10 ** -(1 + i // 250)}, "model": {"dropout": i // 10 % 25 / 50}}
        value = 0.9 + 0.01 * math.sin(i)
        more = {"changes": changes, "resolved": {"trainer": {"precision": "32"}}}
        more |= {"status": "failed", "epochs": 0, "resolved": {}} if i % 100 == 9 else {}
        made(tmp_path / "s" / str(i), "model=fnn", **{"value": value, "seed": i % 10, "epochs": 20, **more})
    before = os.times()
    subprocess.run([sys.executable, "-m", "litmus", "compare", str(tmp_path / "s")], check=True, capture_output=True)
    after = os.times()  # of the processor: the tests beside this one take their share of the clock's
    assert after.children_user + after.children_system - before.children_user - before.children_system < 10


def test_runs_with_the_same_error_fail_once(tmp_path: Path) -> None:
    made(tmp_path / "fine", "model=fnn")
    for seed in range(30):
        made(tmp_path / f"f{seed:02}", "model=fnn", seed=seed, status="failed", error="the disk is full", epochs=0)
    made(tmp_path / "other", "model=fnn", seed=30, status="failed", error="no such file", epochs=0)
    comparison = compare([tmp_path], None, None)
    found = appendix.failures(comparison)
    assert (found.num_runs, found.omitted) == (31, 0)
    first, other = found.errors
    assert (first.error, len(first.others), first.num_more) == ("the disk is full", 20, 9)
    assert (other.error, other.others, other.num_more) == ("no such file", [], 0)
    shown = page.page(comparison, [], [figures.draw_ranking(each, "") for each in comparison.rankings], ())
    assert shown.count("the disk is full") == 1
    assert "The same error ended 29 more" in shown


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_epochs_are_marked_by_whole_numbers(tmp_path: Path, epochs: int) -> None:
    folder = made(tmp_path / "run", "model=fnn", epochs=epochs)
    rows = [{"epoch": e, "step": e, "val/acc": 0.1 if e == 1 else 0.9 + e / 1000} for e in range(1, epochs + 1)]
    RunDir(folder).write_metrics(rows)
    (figure,) = figures.draw_ranking(compare([folder], None, None).rankings[0], "")
    ticks = re.findall(r'<g id="xtick_\d+">.*?<text[^>]*>([^<]*)</text>', figure.svg, re.DOTALL)
    assert ticks
    assert set(ticks) <= {"1", "2", "3"}
