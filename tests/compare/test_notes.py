"""What is said below a ranking: how its runs were made, what was changed on resume, and what would tell more."""

import shlex
from pathlib import Path

import pytest
from comparing import lr_of, lrs, printed_by, rank, row_of, run_compare, sweep
from helpers import composed
from made_runs import made

from litmus.compare import again
from litmus.compare.comparison import compare
from litmus.record.folder import RunDir

CLIPPED = [{"step": 300, "key": "trainer.gradient_clip", "from": None, "to": 1.0}]


def test_a_run_that_was_changed_on_resume_is_no_seed_of_the_others(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.91]}, changes_on_resume=[])
    made(tmp_path / "changed", "model=fnn", seed=2, value=0.99, changes=lr_of(0.001), changes_on_resume=CLIPPED)
    made(tmp_path / "too", "model=fnn", seed=3, value=0.98, changes=lr_of(0.001), changes_on_resume=CLIPPED)
    ranking, _ = rank(tmp_path)
    assert ranking.keys == ("changes",)
    assert sorted(row.value.mean for row in ranking.rows) == pytest.approx([0.905, 0.985])
    assert "step 300: trainer.gradient\\_clip null → 1.0" in printed_by(tmp_path, "--format", "markdown")
    later = [{**CLIPPED[0], "step": 400}]
    made(tmp_path / "later", "model=fnn", seed=4, changes=lr_of(0.001), changes_on_resume=later)
    assert len(rank(tmp_path)[0].rows) == 3


def test_what_the_runs_differ_in_is_said_in_a_sentence(tmp_path: Path) -> None:
    same = {"threads": 2, "device": "cpu (A)", "versions": {"torch": "2.14.1", "numpy": "2.4.6", "transformers": None}}
    made(tmp_path / "a", "model=fnn", changes=lr_of(0.001), **same)
    made(tmp_path / "b", "model=fnn", changes=lr_of(0.01), **same)
    assert not any("differ in" in note or "uncommitted" in note for note in rank(tmp_path)[1].notes)
    dirty = {"commit": "def4567890", "changed": True, "diff": "1234567890"}
    other = {"threads": 1, "device": "cpu (A)", "git": dirty, "versions": {"torch": "2.15.0", "numpy": "2.4.6"}}
    made(tmp_path / "c", "model=fnn", changes=lr_of(0.1), **other)
    differ = "the runs differ in code (abc, def4567+1234567), threads (1, 2), torch (2.14.1, 2.15.0)"
    uncommitted = "1 of 3 runs come from code with uncommitted changes"
    assert f"mnist, val/acc: {differ}; {uncommitted}." in rank(tmp_path)[1].notes


def test_a_setting_that_diverged_before_its_first_epoch_has_the_last_rank(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(tmp_path, {0.001: [0.9, 0.91], 0.01: [0.8, 0.82]})
    sweep(tmp_path, {10.0: [0.5, 0.5]}, status="diverged", epochs=0, metrics={})
    ranking, comparison = rank(tmp_path)
    assert lrs(ranking) == [0.001, 0.01, 10.0]
    assert "mnist, val/acc: a setting that diverged on any seed comes last: optimizer.lr=10 (seed 0, 1)." in (
        comparison.notes
    )
    assert "| 3 | 10 |  | 2 | diverged |" in printed_by(tmp_path, "--format", "markdown")
    for words in (["--format", "json"], ["--format", "csv"], ["--format", "latex"], []):
        assert run_compare(tmp_path, *words) == 0, "with figures and the report, too"
    assert "nan" not in capsys.readouterr().out.lower()


def test_only_diverged_runs(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.9], 0.01: [0.8]}, status="diverged", epochs=0, metrics={})
    assert run_compare(tmp_path) == 0
    assert "Diverged: <code>optimizer.lr=0.001</code>" in (tmp_path / "compare" / "report.html").read_text()


def typed(command: str) -> list[str]:
    """The overrides of a command that is pasted into a shell."""
    words = shlex.split(command)
    assert words[:3] == ["litmus", "train", "-m"]
    return words[3:]


def test_the_commands_for_more_seeds_run_the_same_settings(tmp_path: Path) -> None:
    sweep(tmp_path / "my sweep", {0.001: [0.93, 0.92, 0.955], 0.01: [0.90, 0.93, 0.92], 0.1: [0.5, 0.51, 0.52]})
    ranking, comparison = rank(tmp_path / "my sweep")
    (more,) = comparison.more
    assert len(more.commands) == 2
    for row, command in zip(ranking.rows, more.commands, strict=False):
        *words, seeds, folder = typed(command)
        assert seeds.startswith("seed=range(3,")
        assert folder.startswith(f"hydra.sweep.dir='{tmp_path / 'my sweep' / 'more-seeds'}/fnn-mnist-")
        wanted = RunDir(row.runs[0].folder).read_config()
        assert composed(*words, f"data.dir={wanted['data']['dir'] or 'null'}") == wanted
    assert any(f"  {command}" in printed_by(tmp_path / "my sweep") for command in more.commands)


def test_what_was_chosen_for_auto_is_typed(tmp_path: Path) -> None:
    resolved = {"trainer": {"precision": "bf16-mixed", "accelerator": "cpu"}, "data": {"source": "bundled"}}
    sweep(tmp_path, {0.001: [0.93], 0.01: [0.90]}, resolved=resolved)
    (more,) = rank(tmp_path)[1].more
    words = typed(more.commands[0])
    assert {"trainer.precision=bf16-mixed", "data.source=bundled"} <= set(words)
    assert not any(word.startswith("trainer.accelerator") for word in words), "it decides nothing that is learned"


def test_seeds_that_only_one_of_them_lacks(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.93, 0.92, 0.955, 0.94], 0.01: [0.90, 0.93, 0.92]})
    (more,) = rank(tmp_path)[1].more
    both = [next(word for word in typed(command) if word.startswith("seed=")) for command in more.commands]
    assert both[0].startswith("seed=range(4,")
    assert both[1].startswith("seed=range(3,"), "its own, and those of both"


def test_one_seed_each(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.93], 0.01: [0.90]})
    (more,) = rank(tmp_path)[1].more
    assert more.note == "mnist, val/acc: #1 and #2 cannot be compared with one seed: run 3."
    assert [typed(command)[-2] for command in more.commands] == ["seed=1,2", "seed=1,2"]


def test_runs_that_stand_alone_have_commands_too(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.93], 0.01: [0.90]})
    runs = sorted(path for path in tmp_path.iterdir() if path.name != "compare")
    (more,) = compare(runs, None, None).more
    assert [typed(command)[-1] for command in more.commands] == ["seed=1,2", "seed=1,2"], "no folder among them"


def test_what_was_told_apart_needs_no_more(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.93, 0.92, 0.94], 0.01: [0.5, 0.51, 0.49]})
    assert rank(tmp_path)[1].more == []


def confirmed(folder: Path, lr: float, values: list[float], **more: object) -> None:
    for seed, value in enumerate(values, start=again.APART):
        path = folder / again.FRESH / f"fnn-{lr}" / f"seed-{seed}"
        made(path, "model=fnn", seed=seed, value=value, changes=lr_of(lr), **more)


def test_fresh_seeds_measure_again_and_are_in_no_mean(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.95, 0.92, 0.96], 0.01: [0.90, 0.96, 0.93]})
    flatters = (
        "mnist, val/acc: #1 was chosen for its score, which flatters it; --confirm 5 measures it on 5 fresh seeds."
    )
    assert flatters in rank(tmp_path)[1].notes
    confirmed(tmp_path, 0.001, [0.90, 0.91])
    confirmed(tmp_path, 0.01, [0.92, 0.93])
    ranking, comparison = rank(tmp_path)
    assert [row.value.n for row in ranking.rows] == [3, 3]
    assert row_of(ranking, 0.001).remeasured.mean == pytest.approx(0.905)
    assert (
        "mnist, val/acc: #1 was chosen for its score of 0.9433; on fresh seeds (1000, 1001), which had no part in "
        "that, its val/acc is 0.905."
    ) in comparison.notes
    assert "mnist, val/acc: on the fresh seeds, #2 is ahead of it: 0.925." in comparison.notes
    text = printed_by(tmp_path, "--format", "markdown")
    assert "| fresh seeds |" in text
    assert "| 0.9050 ± 0.0635 (2) |" in text
    confirmed(tmp_path / "more", 0.001, [])
    (alone,) = compare([tmp_path / again.FRESH], None, None).rankings
    assert [row.value.n for row in alone.rows] == [2, 2], "named by itself, it is a folder as any"


def test_a_fresh_seed_that_diverged_is_said(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.95, 0.92, 0.96], 0.01: [0.90, 0.96, 0.93]})
    confirmed(tmp_path, 0.001, [0.9])
    path = tmp_path / again.FRESH / "x" / "seed-1001"
    made(path, "model=fnn", seed=1001, changes=lr_of(0.001), status="diverged", epochs=0, metrics={})
    assert any("its val/acc is 0.9; it diverged on seed 1001." in note for note in rank(tmp_path)[1].notes)


def test_a_damaged_request_has_no_command(tmp_path: Path) -> None:
    sweep(tmp_path, {0.001: [0.93], 0.01: [0.90]}, resolved={})
    (tmp_path / "lr=0.001,seed=0" / "requested.yaml").write_text("model: {_target_: 7}")
    (more,) = rank(tmp_path)[1].more
    assert len(more.commands) == 1


def test_runs_that_went_on_after_a_divergence_are_named(tmp_path: Path) -> None:
    made(tmp_path / "a", "model=fnn", changes=lr_of(0.1), rollbacks=[{"diverged": 8, "to": 4}] * 2)
    made(tmp_path / "b", "model=fnn", changes=lr_of(0.01), value=0.8, skipped_steps=3)
    notes = rank(tmp_path)[1].notes
    assert "mnist, val/acc: its learning rate was halved after a divergence: #1 seed 0 (2 times)." in notes
    assert "mnist, val/acc: steps were left out, which would have diverged: #2 seed 0 (3 times)." in notes


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({0.001: [0.97, 0.96], 0.01: [0.95, 0.99]}, "the best of what needs no network is {}; every setting beats it."),
        ({0.001: [0.97, 0.96], 0.01: [0.88, 0.94]}, "#2 does not beat {}, which needs no network."),
        ({0.001: [0.9, 0.88], 0.01: [0.8, 0.8]}, "#1, #2 do not beat {}, which needs no network."),
    ],
)
def test_settings_that_do_not_beat_the_best_baseline_are_named(
    values: dict[float, list[float]], said: str, tmp_path: Path
) -> None:
    sweep(tmp_path, values)
    for path in tmp_path.iterdir():  # a test/acc is made .01 below its val/acc
        result = RunDir(path).read_result()
        result["metrics"] |= {"test/majority_acc": 0.1, "test/logistic_acc": 0.91, "test/skill": 0.0}
        RunDir(path).write_result(result)
    assert f"mnist, val/acc: {said.format('logistic regression (test/acc 0.91)')}" in rank(tmp_path)[1].notes
