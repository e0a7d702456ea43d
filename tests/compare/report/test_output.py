"""What `litmus compare` prints and writes, its formats, and its messages about mistakes."""

import csv
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from comparing import printed_by, run_compare, sweep
from made_runs import made
from scipy import stats

from litmus import console
from litmus.compare.report.formats import FORMATS


def test_while_nothing_has_finished(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / "a", "model=fnn", status=None)
    assert run_compare(tmp_path) == 1
    printed = capsys.readouterr().out
    assert "No run has finished yet: there is nothing to rank." in printed
    assert "figures " in printed
    assert "1 run: 1 unfinished" in printed
    assert (tmp_path / "compare" / "figures" / "curves.svg").is_file(), "its curve so far"


def test_mistakes_are_sentences(tmp_path: Path) -> None:
    assert run_compare("nowhere") == "litmus compare: There is no folder nowhere."
    assert run_compare(tmp_path) == f"litmus compare: There is no run folder in {tmp_path}."
    made(tmp_path / "a", "model=fnn")
    (tmp_path / "file").touch()
    assert "cannot be written" in run_compare(tmp_path, "--out", tmp_path / "file", "--no-figures")


def test_formats(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.92, 0.91], 0.01: [0.95, 0.957, 0.966]})
    texts = {name: printed_by(tmp_path, "--format", name) for name in FORMATS}
    for name, ending in FORMATS.items():
        assert (tmp_path / "compare" / f"ranking.{ending}").read_text() == texts[name]
    (ranking,) = json.loads(texts["json"])["rankings"]
    first, second = ranking["rows"]
    assert first["settings"] == {"optimizer.lr": 0.01}
    assert first["val/acc"]["mean"] == pytest.approx(0.9576667)
    assert second["seeds"] == [0, 1, 2]
    assert [Path(folder).name for folder in second["folders"]] == [f"lr=0.001,seed={seed}" for seed in range(3)]
    rows = list(csv.DictReader(io.StringIO(texts["csv"])))
    assert [row["optimizer.lr"] for row in rows] == ["0.01", "0.001"]
    expected = stats.ttest_rel([0.9, 0.92, 0.91], [0.95, 0.957, 0.966]).pvalue
    assert float(rows[1]["p"]) == pytest.approx(expected, abs=0.003)
    assert float(rows[1]["difference"]) == pytest.approx(-0.0476667)
    assert float(rows[1]["effect_size"]) < -2
    assert "| # | optimizer.lr | val/acc | seeds | vs. best | difference | effect | p | test/acc |" in texts["markdown"]
    assert "\\begin{tabular}{rlrllrrrr}" in texts["latex"]
    assert r"val/acc (\%) & seeds & vs. best & difference (\%) & effect & p & test/acc (\%) \\" in texts["latex"]
    assert r"1 & 0.01 & \textbf{\boldmath 95.77 $\pm$ 1.99} & 3 & best &  &  &  & 94.77" in texts["latex"]
    assert r"2 & 0.001 & 91.00 $\pm$ 2.48 & 3 & worse & -4.77 $\pm$ " in texts["latex"]


def test_texts_are_escaped(tmp_path: Path) -> None:
    nasty = "a|b_$x & <i> \\ {50%}"
    made(tmp_path / "a", "model=fnn", changes={"model": {"activation": nasty}})
    made(tmp_path / "b", "model=fnn", value=0.5)
    markdown, latex = (printed_by(tmp_path, "--format", name) for name in ("markdown", "latex"))
    assert r"| a\|b\_$x &amp; &lt;i> \\ {50%} |" in markdown
    assert r"a|b\_\$x \& $<$i$>$ \textbackslash{} \{50\%\}" in latex


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_the_screen_shows_every_number_however_narrow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    sweep(tmp_path, {0.001: [0.95, 0.952, 0.954], 0.01: [0.951, 0.95, 0.9537]})
    monkeypatch.setattr(console.out, "width", columns)
    printed = " ".join(printed_by(tmp_path).split())
    for text in ("0.001", "0.01", "0.9520 ± 0.0050", "not significant", "val/acc", "test/acc"):
        assert text in printed
    assert "…" not in printed


def test_what_diverged_at_once_has_no_gap_on_a_narrow_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(tmp_path, {0.001: [0.95], 0.01: [0.951]})
    made(tmp_path / "lost", "model=fnn", status="diverged", epochs=0, changes={"optimizer": {"lr": 9.0}})
    monkeypatch.setattr(console.out, "width", 40)
    assert "val/acc: diverged" in printed_by(tmp_path)


@pytest.mark.wide
def test_a_second_time_replaces_its_own_files_and_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sweep(tmp_path / "s", {0.001: [0.9, 0.91], 0.01: [0.8, 0.81]})
    out = tmp_path / "s" / "compare"
    assert run_compare(tmp_path / "s") == 0
    (out / "mine.txt").write_text("mine")
    first = {path.relative_to(out) for path in out.rglob("*")}
    shutil.rmtree(tmp_path / "s" / "lr=0.01,seed=0")
    shutil.rmtree(tmp_path / "s" / "lr=0.01,seed=1")
    assert run_compare(tmp_path / "s") == 0
    assert "2 runs: 2 finished" in capsys.readouterr().out, "its own folder is no run"
    second = {path.relative_to(out) for path in out.rglob("*")}
    assert Path("mine.txt") in second
    assert any("optimizer.lr=0.01" in str(path) for path in first)
    assert not any("optimizer.lr=0.01" in str(path) for path in second), "a setting that is no more"


@pytest.mark.slow
def test_several_folders_go_to_outputs(tmp_path: Path, command: Callable) -> None:
    for name in ("a", "b"):
        made(tmp_path / name, "model=fnn", seed=ord(name))
    done = command("compare", "a", "b", "--no-figures", script="litmus")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "outputs" / "compare" / "ranking.md").is_file()
    assert not (tmp_path / "outputs" / "compare" / "report.html").exists()
    assert done.stderr == ""


@pytest.mark.wide
def test_it_answers_without_torch(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.91], 0.01: [0.8, 0.81]})
    code = (
        "import sys; from litmus.cli import compare; import argparse; p = argparse.ArgumentParser();"
        "compare.arguments(p);"
        f"compare.main(p.parse_args([{str(tmp_path)!r}])); assert not {{'torch', 'lightning'}} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, capture_output=True)


def test_without_the_package_for_figures_it_still_ranks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.91], 0.01: [0.8, 0.81]})
    assert run_compare(tmp_path) == 0
    capsys.readouterr()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run_compare(tmp_path) == 0
    printed = capsys.readouterr()
    assert "0.9050" in printed.out
    assert "report.html" not in printed.out
    message = "Figures and the report need matplotlib: pip install 'litmus[compare]'."
    assert message in " ".join(printed.err.split())
    files = {path.name for path in (tmp_path / "compare").iterdir()}
    assert {"ranking.md", "tensorboard"} <= files
    assert not {"report.html", "figures"} & files, "those of before are out of date"
    assert run_compare(tmp_path, "--no-figures") == 0
    assert capsys.readouterr().err == "", "nothing is missing for the rankings"


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "\t=1", "\uff1d1"])
def test_no_cell_of_text_is_a_formula(text: str, tmp_path: Path) -> None:
    for number, value in enumerate((text, "plain")):
        folder = tmp_path / str(number)
        made(folder, "model=fnn")
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config["model"] |= {"activation": value, "dropout": -0.5 * number}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    rows = list(csv.DictReader(io.StringIO(printed_by(tmp_path, "--format", "csv"))))
    assert {row["model.activation"].rstrip("'") for row in rows} == {f"'{text}", "plain"}
    assert {row["model.dropout"] for row in rows} == {"0", "-0.5"}, "a negative number is none"
    (ranking,) = json.loads(printed_by(tmp_path, "--format", "json"))["rankings"]
    assert {row["settings"]["model.activation"] for row in ranking["rows"]} == {text, "plain"}, "JSON is exact"
