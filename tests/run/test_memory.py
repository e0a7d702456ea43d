"""What does not fit into memory is refused before it is made, or said in a sentence when it turns out."""

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from faults import Fault
from helpers import CONF, DIGITS, SCENES, SMALL, TEXTS, TINY, composed
from torch import nn

from litmus.config import machine
from litmus.config.instantiate import build, target
from litmus.errors import UserError
from litmus.record.folder import RunDir
from litmus.run import memory
from litmus.spec import Boxes, Images, Spec
from litmus.trainer import Hardware

Train = Callable[..., RunDir]
NAMES = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
CPU = Hardware("cpu", 1, 32, "as requested")
ABSURD = {
    "fnn": "model.widths=[100000000]",
    "scratch": "model.widths=[64,2000000000]",
    "cnn": "model.dense=2000000000",
    "lstm": "model.widths=[1000000000]",
    "bert": "model.config={hidden_size:1000000008}",
}


def fitting(name: str) -> Spec:
    net = target(composed(f"model={name}")["model"])
    if Boxes in net.target_kinds:
        return SCENES
    return DIGITS if Images in net.input_kinds else TEXTS


def made(name: str, *changes: str) -> tuple[dict, nn.Module]:
    config = composed(f"model={name}", *TINY.get(name, []), *changes)
    return config, build(config["model"], fitting(name))


@pytest.fixture
def limited(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Pretends that so many bytes are available."""
    return lambda num_bytes: monkeypatch.setattr(memory, "available_memory", lambda: num_bytes)


@pytest.mark.parametrize("name", NAMES)
def test_a_network_that_does_not_fit_is_not_built(name: str, limited: Callable[[int], None]) -> None:
    config = composed(f"model={name}", *TINY.get(name, []))
    limited(10**4)
    said = "is too large for this machine: the network's weights need at least"
    with pytest.raises(UserError, match=said), memory.building(config, CPU):
        build(config["model"], fitting(name))
    limited(10**9)
    with memory.building(config, CPU):
        build(config["model"], fitting(name))


@pytest.mark.parametrize("name", ABSURD)
def test_an_absurd_size_is_named_before_anything_of_it_is_made(name: str) -> None:
    config = composed(f"model={name}", *(TINY.get(name, [])[:1]), ABSURD[name])
    said = f"^{re.escape(ABSURD[name].partition('=')[0])}=.*GB of memory are available.$"
    with pytest.raises(UserError, match=said), memory.building(config, CPU):
        build(config["model"], fitting(name))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (ABSURD["fnn"], r"^model.widths=\[100000000\] is too large for this machine: .* at least 313.6 GB"),
        ("model=cnn model.kernel_size=99", "^model.kernel_size=99 is larger than the images of 28 x 28 pixels"),
    ],
)
def test_a_run_of_an_absurd_size_fails_in_a_sentence(train: Train, change: str, said: str) -> None:
    run = train("model=fnn", *change.split())
    assert re.search(said, run.read_result()["error"])
    assert run.read_result()["status"] == "failed"
    assert "Traceback" not in run.log.read_text()


def test_what_training_needs_worked_by_hand(limited: Callable[[int], None]) -> None:
    """A gradient and Adam's two moments of each of 109,386 weights; of a sample 784 pixels, 128 and 64 outputs."""
    config, net = made("fnn", "data.batch_size=64")
    needed = 4 * (3 * 109_386 + 64 * (784 + 128 + 64))
    limited(needed)
    memory.check(config, net, 1000, CPU)
    limited(needed - 1)
    with pytest.raises(UserError, match="The input of data=mnist is too large for this machine: training needs"):
        memory.check(config, net, 1000, CPU)
    memory.check(config, net, 10, CPU)  # a batch cannot be larger than the split
    plain = composed("model=fnn", "optimizer=sgd", "optimizer.momentum=0.0", "data.batch_size=64")
    memory.check(plain, net, 1000, CPU)


def test_each_process_builds_a_network_of_its_own(limited: Callable[[int], None]) -> None:
    config = composed("model=fnn")
    limited(4 * 109_386 * 2)
    with memory.building(config, replace(CPU, devices=2)):
        build(config["model"], DIGITS)
    said = "are available for each of 4 processes"
    with pytest.raises(UserError, match=said), memory.building(config, replace(CPU, devices=4)):
        build(config["model"], DIGITS)


def test_one_gpu_has_to_hold_what_tests_a_network_in_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 processes each has a hundredth of weights, gradients and moments; one tests the whole of them."""
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (10**9, 10**9))
    config, net = made("fnn", "trainer.strategy=fsdp")
    weights = 4 * 109_386
    needed = memory.memory_needed(config, net, Hardware("cuda", 100, 32, ""))
    assert needed.of_weights == weights // 100 + weights
    whole, half = (memory.memory_needed(config, net, Hardware("cuda", 2, kind, "")) for kind in (32, "bf16-mixed"))
    assert half.of_weights == whole.of_weights + weights // 2


def test_a_batch_that_does_not_fit_is_answered_with_one_that_does(limited: Callable[[int], None]) -> None:
    config, net = made("cnn", "data.batch_size=60000")
    limited(10**9)
    with pytest.raises(UserError, match=r"^data.batch_size=60000 is too large .* data.batch_size=\d+ would fit") as no:
        memory.check(config, net, 60_000, CPU)
    fitting = int(re.findall(r"\d+", str(no.value))[-1])
    assert 100 < fitting < 60_000
    memory.check(composed("model=cnn", f"data.batch_size={fitting}"), net, 60_000, CPU)


@pytest.mark.parametrize("name", NAMES)
def test_a_single_sample_is_refused_exactly_where_batch_norm_cannot_train_on_it(name: str) -> None:
    config, net = made(name, "model.batchnorm=true", "data.batch_size=4")
    before = copy.deepcopy(net.state_dict())
    try:
        copy.deepcopy(net).train()(net.example(1))
        cannot = False
    except ValueError:
        cannot = True
    state = torch.get_rng_state()
    if cannot:
        with pytest.raises(UserError, match="Batch norm cannot train on single samples, and the training split has 1"):
            memory.check(config, net, 1, CPU)
        alone = composed(f"model={name}", *TINY.get(name, []), "model.batchnorm=true", "data.batch_size=1")
        with pytest.raises(UserError, match="and data.batch_size=1 gives each process one. Set data.batch_size=2, or"):
            memory.check(alone, net, 8, CPU)
    else:
        assert name in ("resnet", "yolo"), "which have only maps of several pixels"
        memory.check(config, net, 1, CPU)
    memory.check(config, net, 8, CPU)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    with pytest.raises(UserError, match="1 training samples are too few for 2 processes"):
        memory.check(config, net, 1, Hardware("cpu", 2, 32, "as requested"))


@pytest.mark.parametrize("name", ["fnn", "scratch", "cnn", "lstm"])
def test_a_run_on_one_sample_says_so_before_it_trains(train: Train, name: str) -> None:
    run = train(f"model={name}", "data=mnist", "data.limit=1", "model.batchnorm=true")
    result = run.read_result()
    assert result["status"] == "failed"
    assert result["error"] == (
        "Batch norm cannot train on single samples, and the training split has 1. Set data.limit higher, or "
        "model.batchnorm=false."
    )
    assert "Traceback" not in run.log.read_text()


def more_than_there_is(*_: object) -> None:
    torch.empty(2**50)


def of_a_gpu(*_: object) -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def of_python(*_: object) -> None:
    raise MemoryError


@pytest.mark.parametrize(
    ("fault", "where"), [(more_than_there_is, "machine"), (of_a_gpu, "GPU"), (of_python, "machine")]
)
def test_out_of_memory_says_what_to_set(
    train: Train, fault: Callable[..., None], where: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = train("model=fnn", watching=[Fault(fault, epoch=1)])
    result = run.read_result()
    assert (result["status"], result["epochs"]) == ("failed", 1)
    assert result["error"] == (
        f"The {where} is out of memory with data.batch_size=128 and data.eval_batch_size=1000. Set data.batch_size=64 "
        "and data.eval_batch_size=500, or a smaller model."
    )
    assert "Traceback" not in capsys.readouterr().err


def test_other_errors_stay_what_they_are() -> None:
    config = composed(*SMALL)
    for error in (RuntimeError("shapes do not fit"), UserError("no"), KeyboardInterrupt()):
        assert memory.explained(error, config, training=True) is error
    assert str(memory.explained(MemoryError(), config, training=False)) == (
        "The machine is out of memory: the data do not fit. Set data.limit, or free memory."
    )


def test_available_memory_is_the_tightest_of_the_machine_s_and_its_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 5000 kB\n")
    (tmp_path / "own").write_text("0::/a/b\n")
    (tmp_path / "groups" / "a" / "b").mkdir(parents=True)
    monkeypatch.setattr(machine, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(machine, "OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "groups")
    assert machine.available_memory() == 5000 * 1024
    for group, most in (("a/b", "max"), ("a", "3000000")):
        (tmp_path / "groups" / group / "memory.max").write_text(f"{most}\n")
        (tmp_path / "groups" / group / "memory.stat").write_text("anon 1000000\nfile 500\n")
    assert machine.available_memory() == 2_000_000
