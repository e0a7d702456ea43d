"""Random numbers continue on whatever device trains; the devices are stand-ins."""

import logging
from types import SimpleNamespace

import lightning.pytorch as lightning
import pytest
import torch
from torch import Tensor

from litmus.callback.random_state import RandomState
from litmus.config.types import Section


class Devices:
    """GPUs that note which states they are given."""

    def __init__(self, patch: pytest.MonkeyPatch, num_cuda: int, mps: bool) -> None:
        self.given: dict[str, list[int]] = {}
        patch.setattr(torch.cuda, "is_initialized", lambda: num_cuda > 0)
        patch.setattr(torch.cuda, "device_count", lambda: num_cuda)
        patch.setattr(torch.cuda, "get_rng_state_all", lambda: [torch.tensor([i]) for i in range(num_cuda)])
        patch.setattr(torch.cuda, "set_rng_state", lambda state, number: self.note(f"cuda:{number}", state))
        patch.setattr(torch.backends.mps, "is_available", lambda: mps)
        patch.setattr(torch.mps, "get_rng_state", lambda: torch.tensor([7]))
        patch.setattr(torch.mps, "set_rng_state", lambda state: self.note("mps", state))

    def note(self, device: str, state: Tensor) -> None:
        self.given[device] = state.tolist()


def trainer(device: str) -> lightning.Trainer:
    strategy = SimpleNamespace(root_device=torch.device(device))
    return SimpleNamespace(strategy=strategy, world_size=1, global_rank=0)  # as much of one as the callback reads


def saved(device: str) -> Section:
    callback = RandomState()
    callback.setup(trainer(device), None, "fit")  # type: ignore[arg-type]
    return callback.state_dict()


def resumed(state: Section, device: str) -> None:
    callback = RandomState()
    callback.load_state_dict(state)
    callback.on_train_epoch_start(trainer(device), None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("device", "num_cuda", "mps", "given"),
    [
        ("cpu", 0, False, {}),
        ("cuda:1", 3, False, {"cuda:0": [0], "cuda:1": [1], "cuda:2": [2]}),
        ("mps", 0, True, {"mps": [7]}),
        ("cpu", 0, True, {}),
    ],
)
def test_every_device_of_the_process_continues(
    device: str,
    num_cuda: int,
    mps: bool,
    given: dict[str, list[int]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    devices = Devices(monkeypatch, num_cuda, mps)
    state = saved(device)
    expected = torch.rand(3)
    with caplog.at_level(logging.WARNING):
        resumed(state, device)
    assert torch.equal(torch.rand(3), expected)
    assert devices.given == given
    assert not caplog.messages


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (("cuda:0", 1, False), ("cpu", 0, False), "none of cpu. It trained on cuda before."),
        (("cpu", 0, False), ("cuda:0", 1, False), "none of cuda:0. It trained on cpu before."),
        (("mps", 0, True), ("cpu", 0, True), "none of cpu. It trained on mps before."),
        (("cuda:0", 1, False), ("mps", 0, True), "none of mps. It trained on cuda before."),
        (("cuda:0", 1, False), ("cuda:1", 2, False), "none of cuda:1."),
    ],
)
def test_another_device_is_said(
    before: tuple[str, int, bool],
    after: tuple[str, int, bool],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    Devices(monkeypatch, *before[1:])
    state = saved(before[0])
    Devices(monkeypatch, *after[1:])
    resumed(state, after[0])
    assert caplog.messages == [f"Dropout continues with new random numbers: the checkpoint has {words}"]


def test_checkpoints_of_earlier_versions_continue(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    Devices(monkeypatch, 0, False)
    state = saved("cpu")
    del state["device"], state["processes"][0]["mps"]
    expected = torch.rand(3)
    resumed(state, "cpu")
    assert torch.equal(torch.rand(3), expected)
    assert not caplog.messages


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of NVIDIA's")
def test_a_gpu_draws_the_same_again() -> None:
    torch.rand(1, device="cuda")
    state = saved("cuda:0")
    expected = torch.rand(3, device="cuda")
    resumed(state, "cuda:0")
    assert torch.equal(torch.rand(3, device="cuda"), expected)
