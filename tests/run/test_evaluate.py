"""A run evaluated again: the same numbers, unless something else is requested."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy

from litmus.cli import evaluate
from litmus.errors import UserError
from litmus.inference.load import load_run
from litmus.record.folder import RunDir
from litmus.run.build import prepare
from litmus.run.evaluate import evaluate as evaluate_run
from litmus.spec import Images

Train = Callable[..., RunDir]


def test_evaluate_gives_the_same_to_the_last_digit_whatever_the_defaults(
    train: Train, capsys: pytest.CaptureFixture[str], command: Callable
) -> None:
    run = train("model=cnn", "model.widths=[8]", "data.eval_batch_size=77", "trainer.precision=auto")
    expected = {k: v for k, v in run.read_result()["metrics"].items() if k.startswith("test/")}
    before = {p: p.stat().st_mtime_ns for p in run.path.rglob("*")}
    done = command("evaluate", str(run.path), "--json", script="litmus")
    assert json.loads(done.stdout) == expected, done.stderr
    assert {p: p.stat().st_mtime_ns for p in run.path.rglob("*")} == before, "evaluating writes nothing"


def test_evaluate_with_a_change_and_with_a_wrong_one(train: Train) -> None:
    run = train("model=perceptron")
    config = evaluate.changed(run.read_config(), ["data.limit_eval=100"])
    assert evaluate_run(run, config, ["data.limit_eval=100"])["test/acc"] != run.read_result()["metrics"]["test/acc"]
    written = evaluate.changed(run.read_config(), ["optimizer.lr=1e-4", "seed=7", "data.dir=null"])
    assert (written["optimizer"]["lr"], written["seed"], written["data"]["dir"]) == (1e-4, 7, None)
    with pytest.raises(UserError, match=r"no key data.limt .*Did you mean data.limit"):
        evaluate.changed(run.read_config(), ["data.limt=100"])
    with pytest.raises(UserError, match="model.* cannot be changed"):
        evaluate_run(run, run.read_config(), ["model.dropout=0.5"])
    with pytest.raises(UserError, match="data.limit=-1 is not allowed"):
        evaluate_run(run, evaluate.changed(run.read_config(), ["data.limit=-1"]), ["data.limit=-1"])


def test_other_data_than_the_run_s_is_not_measured_in_silence(train: Train) -> None:
    run = train("model=perceptron")
    result = run.read_result()
    torch.save({**torch.load(run.best, weights_only=True), "sha256": {"t10k-images": "0"}}, run.best)
    with pytest.raises(UserError, match="These are not the test data of"):
        evaluate_run(run, run.read_config(), [])
    changes = ["data.source=bundled"]
    config = evaluate.changed(run.read_config(), changes)
    assert evaluate_run(run, config, changes)["test/acc"] == result["metrics"]["test/acc"]


def test_baselines_are_the_run_s_whatever_it_is_tested_on(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A model that was fitted on the other file would predict it without an error."""
    monkeypatch.chdir(tmp_path)
    own, other = (f"x,y\n{''.join(f'{x / 100},{slope * x}{chr(10)}' for x in range(200))}" for slope in (1, -1))
    (tmp_path / "own.csv").write_text(own)
    (tmp_path / "other.csv").write_text(other)
    table = ["data=table", "data.path=own.csv", "data.target=y", "trainer=cpu", "trainer.max_epochs=1"]
    run = train("model=linear", "task.baselines=true", small=table)
    changes = ["data.path=other.csv"]
    config = evaluate.changed(run.read_config(), changes)
    metrics = evaluate_run(run, config, changes)
    assert metrics["test/ridge_rmse"] > 50
    assert metrics["test/skill"] > -1
    (tmp_path / "own.csv").write_text(own.replace("199\n", "198\n"))
    assert not any("ridge" in name or "skill" in name for name in evaluate_run(run, config, changes))
    assert "There are no baselines and no skill: they need the data" in caplog.text


def test_what_is_about_the_training_s_course_does_not_matter(train: Train) -> None:
    run = train("model=fnn", "data.batch_size=50", "trainer.val_check_interval=0.25", "trainer.max_epochs=1")
    changes = ["data.limit=7", "data.limit_eval=7"]  # less than a batch
    assert "test/acc" in evaluate_run(run, evaluate.changed(run.read_config(), changes), changes)


def test_evaluation_normalizes_as_in_training(train: Train) -> None:
    run = train("model=fnn", "trainer.precision=32")
    changes = ["data.limit=7", "data.limit_eval=7"]  # of which mean and standard deviation are others
    config = evaluate.changed(run.read_config(), changes)
    measured = evaluate_run(run, config, changes)["test/loss"]
    net, data = load_run(run), prepare(config)
    images, labels = data.stored("test")

    def loss(facts: Images) -> float:
        with torch.no_grad():
            return float(cross_entropy(net((images / 255 - facts.mean[0]) / facts.std[0]), labels))

    assert len(labels) == 7
    assert measured == pytest.approx(loss(net.spec.input), rel=1e-4)
    assert measured != pytest.approx(loss(data.spec.input), rel=1e-4)
