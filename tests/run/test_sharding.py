"""`trainer.strategy=fsdp`: a network in shards learns, and is kept, as one that each process has whole."""

import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers import CONF, MODELS, ON_BOXES, ON_PHOTOS, ON_TABLE, ON_WAVE, SMALL, TINY, composed
from helpers import DIGITS as SPEC
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn
from warm import Answer

from litmus.config.instantiate import build
from litmus.parallel.sharding import blocks
from litmus.record.folder import RunDir
from litmus.run import memory
from litmus.run.ending import ending
from litmus.trainer import Hardware

Together = Callable[..., list[Answer]]
Command = Callable[..., subprocess.CompletedProcess[str]]

SHARDS = "trainer.strategy=fsdp"
# The last batch of its validation is a single sample, of which the first of two processes has none.
DIGITS = [*SMALL, "data.batch_size=64", "data.limit=404", "data.eval_batch_size=83"]
FEW = ["trainer.max_epochs=2", "trainer.limit_batches=3", "data.batch_size=16", "data.eval_batch_size=16"]
READS = {
    "bert": [*ON_TABLE, *FEW],
    "lstm": [*ON_WAVE, *FEW],
    "resnet": [*ON_PHOTOS, *FEW],
    "yolo": [*ON_BOXES, *FEW],
}
OPTIMIZERS = sorted(path.stem for path in (CONF / "optimizer").glob("*.yaml"))


@pytest.fixture
def both(srun: Together) -> Callable[..., tuple[RunDir, RunDir]]:
    """Trains with DDP, and in shards; in two processes each."""

    def run(*words: str) -> tuple[RunDir, RunDir]:
        return trained(srun, "ddp", *words), trained(srun, "fsdp", *words, SHARDS)

    return run


Both = Callable[..., tuple[RunDir, RunDir]]


def trained(srun: Together, folder: str, *words: str, number: int = 2) -> RunDir:
    ended = srun("train", *words, f"hydra.run.dir={folder}", number=number)
    assert [each.status for each in ended] == [0] * number, ended[0].err
    return RunDir(Path(folder))


def same_training(one: RunDir, two: RunDir, rel: float = 1e-4, abs: float = 1e-5) -> None:
    """The same numbers but for rounding, and files of the same form."""
    for before, now in zip(one.read_metrics(), two.read_metrics(), strict=True):
        close(before, now, rel, abs)
    close((one.read_result() or {})["metrics"], (two.read_result() or {})["metrics"], rel, abs)
    for path in (one.best, one.last):
        same_form(*(torch.load(each / path.name, weights_only=True) for each in (path.parent, two.last.parent)))


def close(before: dict, now: dict, rel: float, abs: float) -> None:
    for name, value in before.items():
        if not name.startswith("time/"):
            assert now[name] == (None if value is None else pytest.approx(value, rel=rel, abs=abs)), name


def same_form(one: object, two: object, where: str = "") -> None:
    assert type(one) is type(two), where
    if isinstance(one, dict) and isinstance(two, dict) and not where.endswith(".best_k_models"):
        assert list(one) == list(two), where
        for key in one:
            same_form(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        assert (one.shape, one.dtype, one.device) == (two.shape, two.dtype, two.device), where
        assert one.untyped_storage().nbytes() == two.untyped_storage().nbytes(), where


def shown(run: RunDir) -> EventAccumulator:
    return EventAccumulator(str(run.path), size_guidance={"histograms": 0}).Reload()


@pytest.mark.wide
@pytest.mark.page
def test_all_that_reads_weights_reads_those_of_shards(both: Both) -> None:
    own = ["callback.ema.decay=0.9", "model.l2=0.001", "trainer.gradient_clip=1.0", "callback.dashboard.graph=true"]
    ddp, fsdp = both("model=fnn", *DIGITS, *own, "callback.dashboard.pictures=true")
    same_training(ddp, fsdp)
    before, now = shown(ddp), shown(fsdp)
    assert now.Tags() == before.Tags()
    assert now.Graph() == before.Graph()
    for tag in before.Tags()["histograms"]:
        for one, two in zip(before.Histograms(tag), now.Histograms(tag), strict=True):
            assert two.step == one.step
            assert two.histogram_value.num == one.histogram_value.num, tag
            assert two.histogram_value.sum_squares == pytest.approx(one.histogram_value.sum_squares, rel=1e-3), tag
    first, second = ddp.read_health(), fsdp.read_health()
    assert second["layers"] == first["layers"]
    for one, two in zip(first["epochs"], second["epochs"], strict=True):
        for name in ("update", "gradient"):
            expected = [None if value is None else pytest.approx(value, rel=1e-3) for value in one[name]]
            assert two[name] == expected


@pytest.mark.slow
@pytest.mark.usefixtures("tables")
def test_blocks_are_shards_of_their_own(both: Both) -> None:
    words = ["model=bert", *TINY["bert"], "model.dropout=0", "model.batchnorm=true", "trainer.precision=bf16-mixed"]
    same_training(*both(*words, *READS["bert"]), rel=2e-2, abs=1e-2)


@pytest.mark.slow
def test_a_killed_run_is_resumed_to_the_last_bit_or_by_one_process(
    srun: Together, command: Command, tmp_path: Path
) -> None:
    words = [
        "train",
        "model=fnn",
        *DIGITS,
        SHARDS,
        "model.dropout=0.1",
        "trainer.max_epochs=4",
        "callback.ema.decay=0.9",
    ]
    whole = trained(srun, "whole", *words[1:])
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    both = dict.fromkeys((0, 1), signal.SIGKILL)
    ended = srun(*words, "hydra.run.dir=run", when=(last, 0.0), signals=both)
    assert {each.status for each in ended} == {-signal.SIGKILL}
    shutil.copytree("run", "copy")
    again = srun("train", "resume=run")
    assert again[0].status == 0, again[0].err
    assert ending(RunDir("run")) == ending(whole)
    alone = command("resume=copy", "trainer.devices=1", "trainer.strategy=auto")
    assert alone.returncode == 0, alone.stderr
    before, now = (run.read_metrics()[-1] for run in (whole, RunDir("copy")))
    assert now["train/loss"] == pytest.approx(before["train/loss"], rel=0.1)  # with other numbers for dropout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([SHARDS, "trainer.devices=2", "optimizer=adafactor"], "optimizer=adafactor sums up rows and columns"),
        ([SHARDS, "trainer.devices=2", "trainer.precision=16-mixed", "trainer.accelerator=auto"], "bf16-mixed"),
    ],
)
def test_what_shards_do_not_do_is_refused_before_training(command: Command, words: list[str], expected: str) -> None:
    done = command("model=fnn", *DIGITS, *words)
    assert done.returncode == 2
    assert expected in " ".join(done.stderr.split())


def test_blocks_are_the_outermost_parts_of_sequences_and_lists() -> None:
    layers = nn.ModuleList([nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)) for _ in range(2)])
    frozen, tied = nn.Sequential(nn.Linear(4, 4)).requires_grad_(False), nn.Linear(4, 4)
    net = nn.ModuleDict({"layers": layers, "frozen": frozen, "head": nn.Sequential(nn.ReLU(), tied), "tied": tied})
    assert blocks(net) == list(layers)
    nested = nn.Sequential(nn.ModuleList([nn.Linear(4, 4)]), nn.Linear(1, 1))
    assert blocks(nested) == [nested[0][0], nested[1]]
    assert blocks(nn.Sequential(nn.Linear(400, 400), nn.Linear(1, 1)))[1:] == [], "too small a part"


def test_weights_gradients_and_state_are_divided() -> None:
    net, two = build(composed("model=fnn")["model"], SPEC), Hardware("cpu", 2, 32, "as requested")
    whole, shares = (memory.memory_needed(composed("model=fnn", *words), net, two) for words in ([], [SHARDS]))
    assert shares.of_weights == whole.of_weights // 2
    assert shares.of_sample == whole.of_sample


@pytest.mark.slow
def test_a_training_that_diverges_ends(srun: Together) -> None:
    wild = ["optimizer=sgd", "optimizer.lr=1e9", "scheduler=none"]
    first, other = srun("train", "model=fnn", *DIGITS, *wild, SHARDS, "hydra.run.dir=run")
    assert first.status == 1
    assert first.seconds < 30
    result = RunDir(Path("run")).read_result() or {}
    assert result["status"] == "diverged"
    assert "in shards, its layers are not looked through" in result["error"]
    assert other.status != 0


@pytest.mark.slow
@pytest.mark.usefixtures("tables", "image_files")
@pytest.mark.parametrize("model", MODELS)
def test_every_network_learns_the_same_in_shards(both: Both, model: str) -> None:
    words = [f"model={model}", *TINY.get(model, []), *READS.get(model, DIGITS), "model.dropout=0"]
    lr = 1e-4 if model == "yolo" else 0.01  # whose targets are assigned to cells: a rounding may choose another one
    words += ["trainer.precision=32", "optimizer=sgd", f"optimizer.lr={lr}", "scheduler=none"]
    same_training(*both(*words), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_the_same_in_shards(both: Both, command: Command, optimizer: str) -> None:
    words = ["model=fnn", *DIGITS, "model.widths=[16,8]", "trainer.gradient_clip=1.0", f"optimizer={optimizer}"]
    if optimizer == "adafactor":
        assert command(*words, SHARDS, "trainer.devices=2").returncode == 2
        return
    is_exact = optimizer != "muon"  # which computes in bf16
    same_training(*both(*words), rel=1e-3 if is_exact else 0.02, abs=1e-3 if is_exact else 0.01)


@pytest.mark.slow
@pytest.mark.usefixtures("tables", "image_files")
def test_layers_that_do_not_train_stay_whole(both: Both, srun: Together) -> None:
    own = ["model.dropout=0", "callback.ema.decay=0.9", "trainer.precision=32"]
    bert = both("model=bert", "model.freeze=1", *TINY["bert"], *READS["bert"], *own)
    same_training(*bert, rel=1e-3)
    trained(srun, "first", "model=resnet", *TINY["resnet"], *READS["resnet"])
    head = ["model=resnet", "model.train=head", "model.weights=first", *READS["resnet"], *own]
    features = trained(srun, "features-ddp", *head), trained(srun, "features", *head, SHARDS)
    same_training(*features, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [("ddp", "fsdp"), ("fsdp", "ddp")])
def test_a_run_changes_from_one_to_the_other(srun: Together, before: str, after: str) -> None:
    words = ["model=fnn", *DIGITS, "scheduler=none", "callback.ema.decay=0.9", "trainer.max_epochs=3"]
    straight = trained(srun, "straight", *words)
    run = trained(srun, "run", *words, f"trainer.strategy={before}", "trainer.max_epochs=1")
    again = srun("train", "resume=run", f"trainer.strategy={after}", "trainer.max_epochs=3")
    assert again[0].status == 0, again[0].err
    for one, two in zip(straight.read_metrics(), run.read_metrics(), strict=True):
        close(one, two, rel=1e-3, abs=1e-5)
    (change,) = [each for each in (run.read_result() or {})["changes"] if each["key"] == "trainer.strategy"]
    assert (change["from"], change["to"]) == (before, after)
