"""`trainer.compile`: a compiled training is that of the network as it is, and `auto` measures where there is time."""

import signal
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast
from unittest import mock

import lightning.pytorch as lightning
import pytest
import torch
from faults import Fault, kill
from helpers import DIGITS, MODELS, ON_PHOTOS, ON_SCENES, ON_TABLE, READS, SMALL, TINY, composed, inputs_for

from litmus.config.instantiate import build
from litmus.config.preflight import job_mistakes
from litmus.record.checkpoint import load_checkpoint
from litmus.record.folder import RunDir
from litmus.run import compiled
from litmus.run.ending import ending
from litmus.trainer import device_name

Train = Callable[..., RunDir]
DATA = {"bert": ON_TABLE, "resnet": ON_PHOTOS, "yolo": ON_SCENES}
MANY = ["trainer.max_epochs=2", "data.batch_size=16"]  # steps, of which the doctor looks at a few
ENOUGH = ["trainer.max_epochs=2", "data.batch_size=4", "trainer.limit_batches=12", "callback.doctor.probes=1"]
ENOUGH += ["scheduler=none"]


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[torch.fx.GraphModule]:
    """Graphs are run by torch itself, which takes no time to compile, and are kept here."""
    graphs: list[torch.fx.GraphModule] = []

    def run(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    monkeypatch.setattr(compiled, "BACKEND", run)
    return graphs


def losses(run: RunDir) -> list[float]:
    return [row[f"{split}/loss"] for row in run.read_metrics() for split in ("train", "val")]


@pytest.mark.wide
@pytest.mark.parametrize("model", ["fnn", "cnn", "scratch"])
def test_it_learns_the_same(train: Train, traced: list[torch.fx.GraphModule], model: str) -> None:
    words = [f"model={model}", *MANY]
    as_it_is = train(*words, "trainer.compile=false", folder="plain")
    assert not traced
    run = train(*words, "trainer.compile=true")
    assert traced
    assert losses(run) == losses(as_it_is)


@pytest.mark.wide
def test_recurrent_layers_are_said_to_stay(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    train("model=lstm", "data=mnist", "trainer.max_epochs=1", "trainer.compile=true")
    assert "compiler leaves recurrent layers as they are" in capsys.readouterr().out


@pytest.mark.wide
def test_whoever_looks_inside_sees_the_network_as_it_is(train: Train, traced: list[torch.fx.GraphModule]) -> None:
    words = ["model=fnn", *MANY]
    plain, run = train(*words, "trainer.compile=false", folder="plain"), train(*words, "trainer.compile=true")
    seen, expected = run.read_health(), plain.read_health()
    for row in [*seen["epochs"], *expected["epochs"]]:
        row.pop("waiting")
    assert seen == expected


def test_what_torch_cannot_compile_is_a_sentence(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., object]:
        raise RuntimeError("no compiler here")

    torch._dynamo.reset()
    monkeypatch.setattr(compiled, "BACKEND", fail)
    result = train("model=fnn", *MANY, "trainer.compile=true").read_result()
    assert result["status"] == "failed"
    assert result["error"].startswith("torch could not compile the network: ")
    assert result["error"].endswith("trainer.compile=false trains without.")
    monkeypatch.setattr(compiled, "LEAST_S", 0)
    result = train("model=fnn", *MANY, "trainer.compile=auto", folder="auto").read_result()
    assert result["status"] == "finished", "auto trains without"


@pytest.mark.wide
@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(("gain", "is_on"), [(1e9, True), (0.0, False)])
def test_auto_takes_what_is_faster(
    train: Train,
    resume: Train,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    gain: float,
    is_on: bool,
) -> None:
    monkeypatch.setattr(compiled, "LEAST_S", 0)
    monkeypatch.setattr(compiled, "GAIN", gain)
    words = ["model=fnn", "model.dropout=0.2", "scheduler=none", "trainer.compile=auto", "data.batch_size=16"]
    straight = train(*words, "trainer.max_epochs=3", folder="straight")
    state = torch.load(straight.last, weights_only=True)["callbacks"]["compiler"]
    assert state == {"is_on": is_on, "device": device_name("cpu")}
    assert straight.read_result()["compiled"] == is_on
    plain = train(*words, "trainer.compile=false", "trainer.max_epochs=3", folder="plain")
    assert losses(straight) == losses(plain), "measuring draws no random number"
    stopped = train(*words, "trainer.max_epochs=3", watching=[Fault(kill(signal.SIGINT), epoch=2, batch=1)])
    assert stopped.read_result()["status"] == "interrupted"
    monkeypatch.setattr(compiled, "GAIN", 1e9 - gain)  # what was decided is not decided again
    capsys.readouterr()
    assert ending(resume(stopped)) == ending(straight)
    assert ("compiled, as before" in capsys.readouterr().out) == is_on


@pytest.mark.wide
@pytest.mark.usefixtures("traced")
def test_auto_measures_again_on_another_device(train: Train, resume: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "LEAST_S", 0)
    monkeypatch.setattr(compiled, "GAIN", 1e9)
    words = ["model=fnn", "scheduler=none", "trainer.compile=auto", "data.batch_size=16", "trainer.max_epochs=3"]
    run = train(*words, watching=[Fault(kill(signal.SIGINT), epoch=1, batch=1)])
    monkeypatch.setattr(compiled, "GAIN", 0.0)
    monkeypatch.setattr(compiled, "device_name", lambda accelerator: "another")
    assert resume(run).read_result()["compiled"] is False


def test_auto_is_off_where_every_digit_is_to_be_the_same(train: Train, traced: list[torch.fx.GraphModule]) -> None:
    run = train("model=fnn", *MANY, "trainer.compile=auto", "trainer.deterministic=true")
    assert not traced
    assert run.read_result()["compiled"] is False


@pytest.mark.usefixtures("traced")
def test_auto_trains_on_where_there_is_no_memory_to_try(
    train: Train, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: object) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(compiled, "LEAST_S", 0)
    monkeypatch.setattr(compiled.Compiler, "_compiled", refuse)
    run = train("model=fnn", *MANY, "trainer.compile=auto")
    assert run.read_result()["status"] == "finished"
    assert "there is no memory to try it" in capsys.readouterr().out


def test_a_training_that_begins_with_a_short_batch_compiles_the_full_ones() -> None:
    net = torch.nn.Linear(3, 2)
    run, seen = compiled.Compiled(net, is_constant=True, on_graphs=False), []
    run._compiled = lambda x: seen.append(len(x))
    for rows in (2, 8, 8, 2):
        run(torch.ones(rows, 3))
    assert seen == [2, 8, 8]


def test_auto_leaves_a_short_training_alone(
    train: Train, traced: list[torch.fx.GraphModule], capsys: pytest.CaptureFixture[str]
) -> None:
    run = train("model=fnn", "trainer.compile=auto")
    assert load_checkpoint(run.last).step > 0
    assert not traced
    assert "compile" not in capsys.readouterr().out


def gradients(net: torch.nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    net.zero_grad()
    torch.stack([each.square().mean() for each in compiled.tensors(net(x))]).sum().backward()
    return [p.grad.clone() for p in net.parameters() if p.grad is not None]


def test_a_network_in_shards_is_not_compiled() -> None:
    words = ["model=fnn", *SMALL, "trainer.devices=2", "trainer.strategy=fsdp"]
    assert job_mistakes(composed(*words)) == []
    (wrong,) = job_mistakes(composed(*words, "trainer.compile=true"))
    assert wrong.startswith("trainer.compile=true cannot compile a network in shards")


def test_auto_leaves_a_network_of_several_processes_alone_whatever_one_process_chose() -> None:
    compiler = compiled.Compiler({"compile": "auto", "deterministic": False})
    compiler.load_state_dict({"is_on": True, "device": ""})
    strategy = SimpleNamespace(root_device=torch.device("cpu"))
    compiler.on_train_start(cast(lightning.Trainer, SimpleNamespace(strategy=strategy, world_size=2)), mock.Mock())
    assert compiler.is_on is False
    one = compiled.Compiler({"compile": "auto", "deterministic": False})
    one.load_state_dict(compiler.state_dict())
    one.on_train_start(cast(lightning.Trainer, SimpleNamespace(strategy=strategy, world_size=1)), mock.Mock())
    assert one.is_on is None  # it measures


def test_auto_leaves_one_alone_that_may_not_take_long(
    train: Train, traced: list[torch.fx.GraphModule], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "LEAST_S", 1e-3)
    train("model=fnn", *MANY, "trainer.compile=auto", "trainer.max_time=0.0009")
    assert not traced


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_every_network_s_compiled_gradients_are_its_own(model: str) -> None:
    torch._dynamo.reset()
    torch.manual_seed(0)
    spec = READS.get(model, DIGITS)
    net = build(composed(f"model={model}", *TINY.get(model, []), "model.dropout=0")["model"], spec).train()
    x = inputs_for(spec)
    expected = gradients(net, x)
    net._compiled_call_impl = compiled.Compiled(net, model not in ("bert", "lstm"), on_graphs=False)
    for own, plain in zip(gradients(net, x), expected, strict=True):
        torch.testing.assert_close(own, plain, rtol=1e-3, atol=1e-3 * float(plain.abs().max()) + 1e-7)


@pytest.mark.slow
@pytest.mark.usefixtures("tables", "image_files")
@pytest.mark.parametrize("model", MODELS)
def test_every_network_is_compiled_and_resumed(train: Train, resume: Train, model: str) -> None:
    """By torch's own compiler, whose last bits differ."""
    torch._dynamo.reset()
    small = DATA.get(model, ["data=mnist", *SMALL])
    words = [f"model={model}", *TINY.get(model, []), *ENOUGH]
    plain = train(*words, "trainer.compile=false", small=small, folder="plain")
    straight = train(*words, "trainer.compile=true", small=small, folder="straight")
    assert losses(straight)[0] == pytest.approx(losses(plain)[0], rel=0.05)  # later ones part, as rounding differs
    stopped = train(
        *words, "trainer.compile=true", small=small, watching=[Fault(kill(signal.SIGINT), epoch=1, batch=2)]
    )
    assert stopped.read_result()["status"] == "interrupted"
    assert ending(resume(stopped)) == ending(straight)
