"""The page of a run folder, without its data: what it says of whatever the folder holds."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import BROWSER, Browser
from helpers import ROOT
from made_runs import made
from pages import check_page

from litmus.cli.main import main
from litmus.record.folder import RunDir
from litmus.report.page import write
from litmus.run.page import material_of

EARLIER = sorted(path.parent for path in (ROOT / "tests" / "earlier").glob("*/result.json"))
HOSTILE = "<script>document.title='taken'</script><img src=http://example.com/a.png onerror=alert(1)>\x1b[31m"


def page(folder: Path) -> str:
    """The text of the page of a run folder."""
    run = RunDir(folder)
    return check_page(write(material_of(run, run.read_config(), run.read_result() or {}, None, ["A note."])))


@pytest.mark.wide
def test_a_page_has_the_verdict_first_then_findings_curves_and_how_to_repeat(tmp_path: Path) -> None:
    text = page(made(tmp_path / "run", "model=fnn"))
    first = "test/acc is 0.89 with the weights of epoch 4 of 4"
    order = [first, "A note.", "Findings The", "Training Values", "Data mnist", "Configuration Every", "reproduce="]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "The run was not examined." in text
    assert {path.name for path in (tmp_path / "run" / "pictures").iterdir()} == {"curve-loss.png", "curve-acc.png"}


def test_a_run_that_trains_on_has_no_page_until_it_ends(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=fnn")
    page(folder)
    RunDir(folder).remove_result()
    assert not RunDir(folder).page.exists()


def test_a_page_s_title_names_the_file(tmp_path: Path) -> None:
    data = {"path": "far/away/houses <3.csv"}
    assert page(made(tmp_path / "run", "model=fnn", changes={"data": data})).startswith("fnn on mnist houses <3.csv ")


def test_train_and_validation_are_in_one_chart_with_the_best_epoch(tmp_path: Path) -> None:
    page(made(tmp_path / "run", "model=fnn"))
    svg = next(re.finditer(r"<svg[^>]*loss by epoch.*?</svg>", (tmp_path / "run" / "report.html").read_text()))[0]
    assert all(f">{words}</text>" in svg for words in ("training", "validation", "best: epoch 4"))


def test_baselines_stand_beside_the_verdict(tmp_path: Path) -> None:
    metrics = {"val/acc": 0.9, "test/acc": 0.9, "test/majority_acc": 0.1, "test/logistic_acc": 0.8}
    text = page(made(tmp_path / "better", "model=fnn", metrics=metrics))
    assert "better than logistic regression 0.8 and the majority class 0.1." in text
    text = page(made(tmp_path / "worse", "model=fnn", metrics={**metrics, "test/logistic_acc": 0.95}))
    assert "The network does not beat logistic regression (test/acc 0.9 against 0.95)" in text


def test_findings_are_shown_the_gravest_first(tmp_path: Path) -> None:
    def finding(severity: Any, name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "severity": severity, "evidence": f"because of {name}", "layer": None, "epoch": 2} | more

    findings = [
        finding("info", "still_improving"),
        "nonsense",
        finding("severe", "dying_relu", layer="features.1", **{"try": "optimizer.lr=0.001"}),
        finding("warning", "over_fitting"),
        finding(7, "odd"),
    ]
    text = page(made(tmp_path / "run", "model=fnn", findings=findings))
    assert re.search("Dying ReLU severe, layer features.1, epoch 2.*over fitting.*Still improving.*odd", text)
    assert re.search(r"Try: (python train.py|litmus train) model=fnn .*optimizer.lr=0.001 ", text), "the whole command"
    assert "The doctor finds nothing wrong" in page(made(tmp_path / "healthy", "model=fnn", findings=[]))
    assert "The run was not" not in page(made(tmp_path / "odd", "model=fnn", findings={"a": 1}))


@pytest.mark.parametrize("status", ["diverged", "failed", "interrupted", "pruned"])
def test_a_run_that_did_not_finish_says_why(tmp_path: Path, status: str) -> None:
    text = page(made(tmp_path / "run", "model=fnn", status=status, error="the loss is nan at step 3"))
    assert re.search(
        rf"The run (was )?{status}: the loss is nan at step 3\. The best epoch reached val/acc 0.9\.", text
    )
    assert "no curves" in page(made(tmp_path / "none", "model=fnn", status=status, epochs=0, metrics={}))


def test_a_path_in_an_error_stays_as_it_is(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=fnn", status="failed", error="There is no file ../data/a.csv.", epochs=0)
    assert "The run failed: There is no file ../data/a.csv. " in page(folder)


def test_the_health_of_layers_is_drawn_where_it_was_measured(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=fnn")
    names = [{"name": "features.0", "type": "Linear"}, {"name": "head", "type": "Linear"}]
    epoch = {
        "gradient": [0.1, 1e-9],
        "update": [1e-3, None],
        "bias": [2e-7, 0.5],
        "mean": [-0.2, None],
        "rms": [1, None],
        "dead": [0.5, None],
    }
    health = {"layers": names, "epochs": [{"epoch": 1, **epoch}, {"epoch": 2, **epoch, "saturated": [None, None]}]}
    (folder / "health.json").write_text(json.dumps(health))
    text = page(folder)
    assert "Health of each layer" in text
    assert "features.0" in text
    assert " 1e-9 " in text
    assert "They could do without: features.0." in text, "batch norm cancels its bias"
    assert (folder / "pictures" / "layers-gradient.png").is_file()
    assert (folder / "pictures" / "layers-dead.png").is_file()
    assert not (folder / "pictures" / "layers-saturated.png").exists()
    maps = re.findall(r"<svg[^>]*of the outputs of an activation.*?</svg>", (folder / "report.html").read_text())
    assert len(maps) == 2
    assert all("features.0" in each and ">head<" not in each for each in maps), "layers without a number have no row"
    assert "var(--wrong)" in maps[1], "below 0"


def test_of_many_layers_and_epochs_those_shown_are_said_and_told_apart(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=yolo")
    names = [f"network.model.{i}.m.0.attention.{part}.conv" for i in range(30) for part in ("first", "last")]
    epochs = [{"epoch": e, "gradient": [0.1] * 60, "dead": [0.5] * 8 + [None] * 52} for e in range(1, 41)]
    (folder / "health.json").write_text(json.dumps({"layers": [{"name": n} for n in names], "epochs": epochs}))
    text = page(folder)
    assert "40 of 60 layers and 16 of 40 epochs, evenly chosen" in text
    assert "All names begin with network.model., which is left out." in text
    drawings = re.findall(r"<svg.*?</svg>", (folder / "report.html").read_text(), re.DOTALL)
    drawing = next(each for each in drawings if "square of the gradient" in each)
    rows = [each for each in re.findall(r">([^<]+)</text>", drawing) if each.endswith("conv")]
    assert len(rows) == len(set(rows)) == 40
    assert {rows[0], rows[-1]} == {"0.m.0.attention.first.conv", "29.m.0.attention.last.conv"}
    assert "40 of 60" not in text.partition("never active")[2], "of 8 activations all are shown"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"layers": 1, "epochs": []}', '{"layers": [1], "epochs": [2]}', "[" * 9999]
)
def test_damaged_health_is_none(tmp_path: Path, text: str) -> None:
    folder = made(tmp_path / "run", "model=fnn")
    (folder / "health.json").write_text(text)
    assert RunDir(folder).read_health() is None
    assert "Health" not in page(folder)


def test_odd_numbers_of_health_are_left_out(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=fnn")
    epochs = [{"epoch": 1, "gradient": ["a", True, 1.0, 2.0], "dead": 3}, {"gradient": []}]
    (folder / "health.json").write_text(json.dumps({"layers": [{"name": HOSTILE}, {}], "epochs": epochs}))
    page(folder)


def test_hostile_texts_are_texts(tmp_path: Path) -> None:
    names = {f"val/{HOSTILE}": 0.5, f"test/recall_{HOSTILE}": 0.5, "val/acc": 0.5}
    finding = dict.fromkeys(("name", "severity", "evidence", "layer", "try"), HOSTILE)
    dataset = {"source": HOSTILE, "train": 5, "val": 5, "test": 5, "sha256": {}, "warning": HOSTILE}
    more = {"metrics": names, "findings": [finding], "dataset": dataset, "model": HOSTILE, "device": HOSTILE}
    folder = made(tmp_path / "run", "model=fnn", changes={"model": {"activation": HOSTILE}}, **more)
    RunDir(folder).write_metrics([{"epoch": 1, "step": 2, f"val/{HOSTILE}": 0.5, "val/acc": 0.5}])
    text = page(folder)
    assert text.count("document.title='taken'") > 5
    assert "<img" not in (folder / "report.html").read_text()
    assert all(path.parent == folder / "pictures" for path in (folder / "pictures").rglob("*"))


ODD = ["text", 7, -1.5, True, [], ["a"], {"a": "b"}, None, {"train": "many", "commit": 5, "sha256": 1}]
SECTIONS = ("dataset", "git", "versions", "seconds", "metrics")


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_a_result_of_somebody_else_s_may_hold_anything(tmp_path: Path, odd: object) -> None:
    folder = made(tmp_path / "run", "model=fnn")
    result = json.loads((folder / "result.json").read_text())
    inner = {"source": odd, "train": odd, "warning": odd, "commit": odd, "changed": odd, "fit": odd, "test/acc": odd}
    names = ("error", "best_epoch", "model", "data", "seed", "epochs", "parameters", "device", "findings", "baselines")
    result |= {**dict.fromkeys(names, odd), **dict.fromkeys(SECTIONS, inner)}
    (folder / "result.json").write_text(json.dumps(result))
    assert "Training" in page(folder)


@pytest.mark.parametrize("earlier", EARLIER, ids=lambda path: path.name)
def test_runs_of_earlier_versions_have_a_page(tmp_path: Path, earlier: Path) -> None:
    shutil.copytree(earlier, tmp_path / "run")
    text = page(tmp_path / "run")
    assert "Training" in text
    assert "Configuration" in text


def test_pictures_of_an_earlier_page_are_removed_and_nothing_else(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=fnn")
    (folder / "pictures").mkdir()
    for name in ("gone.png", "mine.txt"):
        (folder / "pictures" / name).touch()
    page(folder)
    assert not (folder / "pictures" / "gone.png").exists()
    assert (folder / "pictures" / "mine.txt").exists()


def test_a_page_is_the_same_each_time(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=fnn")
    texts = [re.sub(r"written [\d :-]+", "", page(folder)) for _ in range(2)]
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("folder", "words"),
    [("running", "running has no result.json: the run has not ended"), ("none", "There is no folder")],
)
def test_the_verb_needs_a_run_that_has_ended(tmp_path: Path, folder: str, words: str) -> None:
    made(tmp_path / "running", "model=fnn", status=None)
    with pytest.raises(SystemExit, match=words):
        main(["report", folder])


@pytest.mark.parametrize("works", [True, False])
def test_the_page_is_shown_in_the_browser_of_the_environment(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: Callable[..., subprocess.CompletedProcess[str]],
    works: bool,
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/shown\nexit {0 if works else 1}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # no other browser
    folder = made(tmp_path / "a run", "model=fnn")
    done = command("report", str(folder), "--open", script="litmus")
    address = (folder / "report.html").as_uri()
    assert (tmp_path / "shown").read_text().strip() == address
    assert (done.returncode, "No browser can be started here. Open" in done.stderr) == (
        (0, False) if works else (1, True)
    )


@pytest.mark.wide
@pytest.mark.skipif(BROWSER is None, reason="there is no chromium on PATH")
def test_what_a_click_opens_is_printed(tmp_path: Path) -> None:
    folder = made(tmp_path / "run", "model=fnn")
    page(folder)
    browser = Browser(tmp_path / "profile")
    hidden = "[...document.querySelectorAll('details > :not(summary)')].filter(each => !each.checkVisibility()).length"
    try:
        browser.open((folder / "report.html").as_uri())
        browser.wait_for("document.querySelector('details') !== null && document.readyState == 'complete'")
        assert browser.value(hidden) > 0
        browser.call("Emulation.setEmulatedMedia", media="print")
        assert browser.value(hidden) == 0
        assert browser.value("document.querySelector('details pre').getBoundingClientRect().height") > 100
    finally:
        browser.close()
