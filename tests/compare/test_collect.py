"""Finding and reading run folders: links, damage, and times over several sessions."""

import shutil
from pathlib import Path

import pytest
from comparing import rank, run_compare, sweep
from made_runs import made

from litmus.compare import collect
from litmus.compare.comparison import compare
from litmus.record.folder import RunDir


def test_a_folder_counts_once_however_it_is_reached(tmp_path: Path) -> None:
    sweep(tmp_path / "all" / "s", {0.001: [0.9, 0.91]})
    (tmp_path / "all" / "latest").symlink_to("s/lr=0.001,seed=0")
    (tmp_path / "all" / "up").symlink_to(tmp_path)
    folders = [tmp_path / "all", tmp_path / "all" / "s", tmp_path / "all" / "s" / "lr=0.001,seed=1", tmp_path / "all"]
    assert len(compare(folders, None, None).runs) == 2


def test_a_resumed_run_counts_the_time_of_every_session(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", epochs=3)  # 10 s in its last session
    for seconds, expected in ((2.0, 10.0), (5.0, 17.0)):
        rows = [{"epoch": i + 1, "val/acc": 0.9, "time/epoch_seconds": seconds} for i in range(3)]
        RunDir(tmp_path / "a").write_metrics(rows)
        assert compare([tmp_path], None, None).seconds["total"] == pytest.approx(expected)
    made(tmp_path / "b", "model=fnn", seed=1, status=None)
    RunDir(tmp_path / "b").write_metrics(rows)
    assert compare([tmp_path], None, None).seconds["total"] == pytest.approx(17.0), "b has not ended"


DAMAGE = {
    "config.yaml": ["model: [", "", "- a\n", "model: {_target_: a.b}\n", "\x00"],
    "result.json": ["{", "[]", "{}", '{"status": "finished", "metrics": [], "seconds": {}}', '{"status": "great"}'],
    "metrics.csv": ["epoch,val/acc\n1,many\n", "epoch,val/acc\n1,2,3\n"],
}


@pytest.mark.parametrize(("name", "content"), [(name, text) for name, texts in DAMAGE.items() for text in texts])
def test_a_damaged_run_is_skipped_with_a_warning_that_names_it(tmp_path: Path, name: str, content: str) -> None:
    made(tmp_path / "good", "model=fnn")
    made(tmp_path / "bad", "model=fnn", seed=1)
    (tmp_path / "bad" / name).write_text(content)
    ranking, comparison = rank(tmp_path)
    assert ranking.rows[0].value.n == 1
    (said,) = comparison.damaged
    assert said.startswith(f"{tmp_path / 'bad'} is damaged and skipped: ")


def test_a_run_without_its_configuration_is_damaged_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made(tmp_path / "good", "model=fnn")
    made(tmp_path / "bad", "model=fnn", seed=1)
    (tmp_path / "bad" / "config.yaml").unlink()
    assert run_compare(tmp_path, "--format", "csv", "--no-figures") == 0
    assert "bad is damaged" in " ".join(capsys.readouterr().err.split())


def test_a_run_that_vanishes_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    made(tmp_path / "a", "model=fnn")
    made(tmp_path / "b", "model=fnn", seed=1)
    read = collect.read_run

    def reading(folder: Path) -> collect.Run:
        if folder.name == "b":
            shutil.rmtree(folder)
        return read(folder)

    monkeypatch.setattr(collect, "read_run", reading)
    runs, damaged = collect.collect([tmp_path])
    assert [run.folder.name for run in runs] == ["a"]
    assert damaged == []
