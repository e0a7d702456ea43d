"""A run's folder: what is in it, that its files agree, and that nothing is lost when a run goes wrong."""

import csv
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import SMALL, composed
from lightning.pytorch.callbacks import EarlyStopping as LightningEarlyStopping
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from litmus import console
from litmus.callback.meter import Meter
from litmus.cli import evaluate
from litmus.config.instantiate import build
from litmus.data.mnist import MNIST
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run import train as running
from litmus.run.build import assemble, prepare
from litmus.run.evaluate import evaluate as evaluate_run
from litmus.run.job import resume_config
from litmus.spec import Spec
from litmus.task.classification import Classification

Train = Callable[..., RunDir]


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_a_finished_run_s_folder(train: Train) -> None:
    run = train("model=fnn", "callback.dashboard.graph=true", "seed=3")
    files = {str(p.relative_to(run.path)) for p in run.path.rglob("*") if p.is_file()}
    events = {name for name in files if "tfevents" in name}
    assert files - events == {
        "config.yaml",
        "result.json",
        "metrics.csv",
        "train.log",
        "checkpoints/best.ckpt",
        "checkpoints/last.ckpt",
    }
    result = json.loads((run.path / "result.json").read_text())
    assert result["status"] == "finished"
    assert result["error"] is None
    by_class = {f"test/{what}_{digit}" for what in ("precision", "recall") for digit in range(10)}
    measured = {"train": ("loss", "acc"), **dict.fromkeys(("val", "test"), ("loss", "acc", "f1", "f1_weighted"))}
    assert set(result["metrics"]) == {f"{part}/{name}" for part, names in measured.items() for name in names} | by_class
    assert (result["model"], result["data"], result["seed"], result["epochs"], result["steps"]) == (
        "fnn",
        "mnist",
        3,
        2,
        8,
    )
    assert set(result["seconds"]) == {"startup", "fit", "test"}
    assert result["samples_per_second"] > 0
    assert result["parameters"] == 109_386
    assert result["precision"] == 32
    assert result["device"].startswith("cpu")
    dataset = result["dataset"]
    assert (dataset["source"], dataset["train"], dataset["val"], dataset["test"]) == ("bundled", 400, 333, 400)
    assert list(dataset["sha256"]) == ["mnist_5k.csv.gz"]
    assert result["versions"]["torch"] == torch.__version__.partition("+")[0]


def test_the_subset_is_said_on_the_screen_in_the_log_and_in_the_result(
    train: Train, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train("model=perceptron")
    said = "5,000 of MNIST's 70,000 digits"
    printed = capsys.readouterr()
    assert said in (printed.err + printed.out).replace("\n", " ")
    assert said in run.log.read_text()
    assert said in run.read_result()["dataset"]["warning"]


def test_metrics_agree_everywhere(train: Train) -> None:
    run = train("model=cnn", "model.widths=[8]", "trainer.max_epochs=3")
    result = run.read_result()
    with (run.path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    board = scalars(run.path)
    for name in ("train/loss", "train/acc", "val/loss", "val/acc", "optim/lr", "optim/grad_norm", "optim/l2_penalty"):
        written = [float(row[name]) for row in rows]
        assert [value for _, value in board[name]] == written, name
        assert all(v == v for v in written), name
    assert "epoch" not in board
    assert set(board) >= {"time/samples_per_second", "time/epoch_seconds", "test/loss", "test/acc", "step/train_loss"}
    best = max(rows, key=lambda row: float(row["val/acc"]))
    assert result["best_epoch"] == int(best["epoch"])
    for name in ("train/loss", "train/acc", "val/loss", "val/acc"):
        assert result["metrics"][name] == float(best[name])
    assert [result["metrics"]["test/acc"]] == [value for _, value in board["test/acc"]]


def test_the_hparams_row_has_the_final_metrics_and_what_one_compares(train: Train) -> None:
    run = train("model=fnn", "model.l2=1e-4")
    result = run.read_result()
    final = scalars(run.path / "final")
    by_class = {name for name in result["metrics"] if name.startswith(("test/precision_", "test/recall_"))}
    compared_metrics = {name: value for name, value in result["metrics"].items() if name not in by_class}
    assert {name: value for name, ((_, value),) in final.items()} == pytest.approx(compared_metrics)
    events = EventAccumulator(str(run.path / "final"))
    events.Reload()
    from tensorboard.plugins.hparams import metadata

    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    compared = set(metadata.parse_session_start_info_plugin_data(content).hparams)
    assert {
        "model",
        "optimizer",
        "model.l2",
        "optimizer.lr",
        "seed",
        "data.batch_size",
        "trainer.max_epochs",
    } <= compared
    assert not {name for name in compared if "_target_" in name or "dir" in name or "callback" in name}
    with pytest.raises(KeyError):
        events.SummaryMetadata(metadata.EXPERIMENT_TAG)


def test_the_same_seed_gives_the_same_numbers_to_the_last_bit(train: Train) -> None:
    changes = ["model=cnn", "model.widths=[8]", "model.dropout=0.3", "model.batchnorm=true", "data.augment=true"]
    a, b = (train(*changes, folder=f) for f in ("a", "b"))
    c = train(*changes, "seed=1", folder="c")
    assert a.read_result()["metrics"] == b.read_result()["metrics"]
    assert a.read_result()["metrics"] != c.read_result()["metrics"]


@pytest.mark.parametrize("name", ["perceptron", "fnn", "scratch", "cnn"])
def test_the_test_accuracy_equals_one_by_plain_torch(name: str, train: Train) -> None:
    run = train(f"model={name}", "trainer.precision=32", "model.dropout=0.2", "model.batchnorm=true")
    config = run.read_config()
    data = build(config["data"], config["seed"])
    data.prepare_data()
    checkpoint = torch.load(run.best, weights_only=True)
    net = build(config["model"], Spec.from_plain(checkpoint["spec"]))
    net.load_state_dict({k.removeprefix("net."): v for k, v in checkpoint["state_dict"].items()})
    net.eval()
    images, labels = data.splits["test"]
    facts = data.spec.input
    with torch.no_grad():
        logits = net((images / 255 - facts.mean[0]) / facts.std[0])
    accuracy = (logits.argmax(dim=1) == labels).float().mean().item()
    assert run.read_result()["metrics"]["test/acc"] == pytest.approx(accuracy, abs=1e-7)


def test_scratch_trains_as_fnn_does(train: Train) -> None:
    changes = ["model.dropout=0.2", "model.batchnorm=true", "model.l2=1e-4"]
    fnn = train("model=fnn", *changes, folder="fnn").read_result()["metrics"]
    scratch = train("model=scratch", *changes, folder="scratch").read_result()["metrics"]
    assert set(scratch) == set(fnn)
    common = [name for name in fnn if name.endswith(("/loss", "/acc", "/f1"))]
    assert [scratch[name] for name in common] == pytest.approx([fnn[name] for name in common], rel=1e-3, abs=0.01)


def test_permuted_labels_teach_nothing(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = train("model=fnn", "data.limit=3000", folder="honest").read_result()["metrics"]["test/acc"]
    prepare = MNIST.prepare_data

    def permuted(self: MNIST) -> None:
        prepare(self)
        images, labels = self.splits["train"]
        self.splits["train"] = images, labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]

    monkeypatch.setattr(MNIST, "prepare_data", permuted)
    chance = train("model=fnn", "data.limit=3000", folder="chance").read_result()["metrics"]["test/acc"]
    assert honest > 0.8
    assert chance < 0.2


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
    config = evaluate.changed(run.read_config(), ["data.limit=100"])
    assert evaluate_run(run, config, ["data.limit=100"])["test/acc"] != run.read_result()["metrics"]["test/acc"]
    with pytest.raises(UserError, match=r"no key data.limt .*Did you mean data.limit"):
        evaluate.changed(run.read_config(), ["data.limt=100"])
    with pytest.raises(UserError, match="model.* cannot be changed"):
        evaluate_run(run, run.read_config(), ["model.dropout=0.5"])
    with pytest.raises(UserError, match="data.limit=-1 is not allowed"):
        evaluate_run(run, evaluate.changed(run.read_config(), ["data.limit=-1"]), ["data.limit=-1"])


def test_a_checkpoint_is_plain_and_rebuilds_the_network(train: Train) -> None:
    run = train("model=fnn")
    for path in (run.best, run.last):
        checkpoint = torch.load(path, weights_only=True)
        assert Spec.from_plain(checkpoint["spec"]).input.height == 28


class Boom(Exception):
    pass


def raising(error: BaseException, epoch: int) -> Callable:
    def on_train_epoch_start(self: Meter, trainer: object, pl_module: object) -> None:
        if trainer.current_epoch == epoch:
            raise error

    return on_train_epoch_start


def test_a_failed_run_says_why_and_keeps_what_it_had(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Meter, "on_train_epoch_start", raising(Boom("the disk is full"), 1))
    run = train("model=fnn", "callback.meter.every_n_steps=1")
    result = run.read_result()
    assert (result["status"], result["error"], result["epochs"]) == ("failed", "Boom: the disk is full", 1)
    assert "val/acc" in result["metrics"]
    assert "Traceback" in run.log.read_text()
    assert "the disk is full" in capsys.readouterr().err


def test_data_that_does_not_fit_fails_in_a_sentence(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("data.source=disk", "data.dir=nowhere")
    result = run.read_result()
    assert result["status"] == "failed"
    assert result["error"].startswith("data.source=disk cannot give MNIST. nowhere/mnist lacks train-images")
    assert "Traceback" not in capsys.readouterr().err
    assert result["metrics"] == {}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_stops_whole_and_goes_on(
    number: signal.Signals, train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changes = ["model=fnn", "model.dropout=0.2", "trainer.max_epochs=4"]
    start = Meter.on_train_epoch_start

    def kill(self: Meter, trainer: object, pl_module: object) -> None:
        start(self, trainer, pl_module)
        if trainer.current_epoch == 2:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(Meter, "on_train_epoch_start", kill)
    handler = signal.getsignal(number)
    train(*changes)
    assert signal.getsignal(number) is handler
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    run = RunDir(tmp_path / "run")
    result = run.read_result()
    assert (result["status"], result["error"], result["epochs"]) == ("interrupted", f"stopped by {number.name}", 2)
    assert "test/acc" not in result["metrics"]
    before = run.read_metrics()

    config = resume_config(run, composed(*changes, f"resume={run.path}"), [*changes, f"resume={run.path}"])
    with console.log_to(run.log):
        assert running.train(run, config, 0.0).status == "finished"
    rows = run.read_metrics()
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert [row["step"] for row in rows] == [4, 8, 12, 16]
    assert rows[:2] == before
    assert run.read_result()["status"] == "finished"
    assert run.read_result()["epochs"] == 4


def test_a_moved_run_goes_on_with_its_best_score(train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train("model=fnn", "trainer.max_epochs=3")
    best = run.best.read_bytes()
    moved = RunDir(run.path.rename(tmp_path / "moved"))
    longer = ["trainer.max_epochs=4"]

    def ruin(self: Meter, trainer: object, pl_module: object) -> None:
        torch.nn.init.normal_(pl_module.net.head.weight)

    monkeypatch.setattr(Meter, "on_validation_start", ruin)
    config = resume_config(moved, composed("model=fnn", *longer), longer)
    with console.log_to(moved.log):
        assert running.train(moved, config, 0.0).status == "finished"
    assert moved.read_metrics()[3]["val/acc"] < moved.read_metrics()[2]["val/acc"]
    assert moved.best.read_bytes() == best
    assert moved.read_result()["best_epoch"] <= 3


def test_the_last_epoch_is_kept_where_it_is_not_the_best(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that does not get better, as a detector's mAP stays at 0 for a while."""
    changes = ["model=fnn", "optimizer.lr=1e-12", "trainer.max_epochs=4"]
    monkeypatch.setattr(Meter, "on_train_epoch_start", raising(Boom("the machine went away"), 3))
    run = train(*changes)
    monkeypatch.undo()
    assert torch.load(run.best, weights_only=True)["epoch"] == 0, "the first wins a tie"
    assert torch.load(run.last, weights_only=True)["epoch"] == 2
    trained = []
    start = Meter.on_train_epoch_start

    def note(self: Meter, trainer: Any, pl_module: object) -> None:
        trained.append(trainer.current_epoch)
        start(self, trainer, pl_module)

    monkeypatch.setattr(Meter, "on_train_epoch_start", note)
    config = resume_config(run, composed(*SMALL, *changes), [*SMALL, *changes])
    with console.log_to(run.log):
        assert running.train(run, config, 0.0).status == "finished"
    assert trained == [3]
    assert [row["epoch"] for row in run.read_metrics()] == [1, 2, 3, 4]
    assert run.read_result()["best_epoch"] == 1
    assert torch.load(run.last, weights_only=True)["epoch"] == 3


def test_resuming_what_cannot_be(train: Train) -> None:
    run = train("model=fnn")
    with pytest.raises(UserError, match="has already been trained for 2 epochs. Add trainer.max_epochs=4"):
        resume_config(run, composed("model=fnn"), ["model=fnn"])
    with pytest.raises(UserError, match="trained with model=fnn. It cannot be resumed with model=cnn"):
        resume_config(run, composed("model=cnn"), ["model=cnn"])
    with pytest.raises(UserError, match="trained with seed=0"):
        resume_config(run, composed("seed=1"), ["seed=1"])
    with pytest.raises(
        UserError, match="trained with optimizer.lr=0.003. It cannot be resumed with optimizer.lr=0.1: that is another"
    ):
        resume_config(run, composed("model=fnn", "optimizer.lr=0.1"), ["optimizer.lr=0.1"])
    with pytest.raises(UserError, match="is not a run folder"):
        resume_config(RunDir(run.checkpoints), composed(), [])
    longer = composed("model=fnn", "trainer.max_epochs=3")
    assert resume_config(run, longer, ["trainer.max_epochs=3"])["trainer"]["max_epochs"] == 3


def test_one_process_trains_in_a_folder(train: Train) -> None:
    run = train("model=perceptron")
    with run.locked(), pytest.raises(UserError, match="is being trained by another process"), run.locked():
        pass
    with run.locked():
        pass


def test_a_folder_is_claimed_once(train: Train) -> None:
    run = train("model=perceptron")
    with pytest.raises(UserError, match="already holds a run"):
        run.claim()


def test_early_stopping(train: Train) -> None:
    run = train("model=fnn", "trainer.max_epochs=50", "callback.early_stopping.patience=1", "optimizer.lr=1e-9")
    assert run.read_result()["epochs"] < 10
    assert run.read_result()["status"] == "finished"


def test_nothing_stops_a_run_early_unless_asked(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Lightning calls the method by which it passes a check by: it may be renamed any day."""
    check = LightningEarlyStopping._run_early_stopping_check
    for hook in ("on_train_epoch_end", "on_validation_end"):
        monkeypatch.setattr(LightningEarlyStopping, hook, lambda self, trainer, _: check(self, trainer))
    assert train("model=fnn", "trainer.max_epochs=3", "optimizer.lr=1e-9").read_result()["epochs"] == 3
    assert build(composed()["callback"]["early_stopping"]) is None


def test_gradient_clipping_limits_the_step(train: Train) -> None:
    changes = [
        "model=fnn",
        "optimizer=sgd",
        "optimizer.momentum=0.0",
        "scheduler=none",
        "trainer.max_epochs=1",
        "optimizer.lr=1.0",
    ]
    run = train(*changes, "trainer.gradient_clip=1e-6", "trainer.limit_batches=1")
    weights = torch.load(run.last, weights_only=True)["state_dict"]
    torch.manual_seed(0)
    config = run.read_config()
    start = assemble(run, {**config, "callback": {}}, prepare(config)).net.state_dict()
    moved = sum(float((weights[f"net.{name}"] - start[name]).square().sum()) for name in start) ** 0.5
    assert 0 < moved < 3e-6


def test_early_stopping_lets_an_improving_run_be(train: Train) -> None:
    run = train("model=fnn", "trainer.max_epochs=5", "callback.early_stopping.patience=2", "data.limit=2000")
    assert run.read_result()["epochs"] == 5


def test_plateau_lowers_the_rate_of_a_run_that_does_not_improve_only(train: Train) -> None:
    changes = ["model=fnn", "scheduler=plateau", "scheduler.patience=1", "trainer.max_epochs=4", "data.limit=2000"]
    rates = [row["optim/lr"] for row in train(*changes, folder="good").read_metrics()]
    assert len(set(rates)) == 1
    stuck = train(*changes, "optimizer=sgd", "optimizer.lr=1e-7", folder="stuck").read_metrics()
    assert stuck[-1]["optim/lr"] < stuck[0]["optim/lr"]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
def test_gradients_are_clipped_in_every_precision(optimizer: str, precision: str, train: Train) -> None:
    run = train(
        "model=cnn",
        "model.widths=[8]",
        f"optimizer={optimizer}",
        f"trainer.precision={precision}",
        "trainer.gradient_clip=1.0",
    )
    assert run.read_result()["status"] == "finished", run.read_result()["error"]


def test_a_diverged_run_says_so_and_its_result_is_json(train: Train) -> None:
    run = train("model=fnn", "optimizer=sgd", "optimizer.lr=1e30", "scheduler=none")
    result = json.loads((run.path / "result.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    assert result["metrics"]["train/loss"] is None
    assert "The training diverged" in run.log.read_text()


def test_other_data_than_the_run_s_is_not_measured_in_silence(train: Train) -> None:
    run = train("model=perceptron")
    result = run.read_result()
    run.write_result({**result, "dataset": {**result["dataset"], "sha256": {"t10k-images": "0"}}})
    with pytest.raises(UserError, match="was tested on other data than this"):
        evaluate_run(run, run.read_config(), [])
    changes = ["data.source=bundled"]
    config = evaluate.changed(run.read_config(), changes)
    assert evaluate_run(run, config, changes)["test/acc"] == result["metrics"]["test/acc"]


def test_evaluation_normalises_as_in_training(train: Train) -> None:
    run = train("model=fnn")
    facts = torch.load(run.best, weights_only=True)["spec"]["input"]
    changes = ["data.limit=7"]  # of which mean and standard deviation are others
    seen = []
    build = assemble

    def spying(run: RunDir, config: dict, data: MNIST, known: dict) -> object:
        seen.append(data.spec.input)
        return build(run, config, data, known)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("litmus.run.evaluate.assemble", spying)
        evaluate_run(run, evaluate.changed(run.read_config(), changes), changes)
    assert list(seen[0].mean) == facts["mean"]


def test_a_run_that_cannot_be_gone_on_with_keeps_its_result(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    run = train("model=perceptron")
    before = {name: (run.path / name).read_bytes() for name in ("result.json", "config.yaml", "metrics.csv")}
    typed = ["trainer.max_epochs=4", "data.source=disk", "data.dir=nowhere"]
    config = resume_config(run, composed("model=perceptron", *typed), typed)
    assert running.train(run, config, 0.0).status == "failed"
    assert "data.source=disk cannot give MNIST" in capsys.readouterr().err
    assert {name: (run.path / name).read_bytes() for name in before} == before
    with pytest.raises(UserError, match="has already been trained for 2 epochs"):
        resume_config(run, composed("model=perceptron", "trainer.max_epochs=1"), ["trainer.max_epochs=1"])


def test_what_needs_no_data_to_be_refused_is_refused_before(train: Train) -> None:
    for changes, said in (
        (["trainer.precision=16-mixed"], "needs a GPU"),
        (["trainer.devices=2", "data.batch_size=63"], "cannot be divided evenly among trainer.devices=2"),
    ):
        run = train(*changes, folder=changes[-1])
        assert said in run.read_result()["error"]
        assert run.read_result()["dataset"] is None


@pytest.mark.parametrize("scheduler", ["none", "cosine", "one_cycle", "plateau", "warmup_linear"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw", "rmsprop"])
def test_every_optimizer_with_every_scheduler(scheduler: str, optimizer: str, train: Train) -> None:
    run = train("model=fnn", "data.limit=200", f"optimizer={optimizer}", f"scheduler={scheduler}")
    assert run.read_result()["status"] == "finished"
    rates = [row["optim/lr"] for row in run.read_metrics()]
    assert (rates[0] == rates[1]) == (scheduler in ("none", "plateau"))


@pytest.mark.parametrize("model", ["perceptron", "fnn", "cnn", "scratch"])
@pytest.mark.parametrize("data", ["mnist"])
def test_every_model_trains_on_every_dataset(model: str, data: str, train: Train) -> None:
    run = train(f"model={model}", f"data={data}", "trainer=debug")
    result = run.read_result()
    assert result["status"] == "finished", result["error"]
    assert (result["model"], result["data"]) == (model, data)


def test_the_validation_set_chooses_and_the_test_set_is_measured_once(
    train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested: list[int] = []
    step = Classification.test_step

    def counting(self: Classification, batch: tuple, batch_idx: int) -> None:
        tested.append(len(batch[1]))
        step(self, batch, batch_idx)

    monkeypatch.setattr(Classification, "test_step", counting)
    run = train("model=fnn", "trainer.max_epochs=3")
    assert sum(tested) == run.read_result()["dataset"]["test"]


def test_what_is_not_litmus_is_not_called() -> None:
    with pytest.raises(UserError, match="is not a class or function of litmus"):
        build({"_target_": "os.getcwd"})
    with pytest.raises(UserError, match="is not a class or function of litmus"):
        build({"_target_": "litmus.run.train.Path"})
    with pytest.raises(UserError, match="is not a class or function of litmus"):
        build({"_target_": "litmus.data.os.getcwd"})
