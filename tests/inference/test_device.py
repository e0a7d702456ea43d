"""Where a network predicts; the devices are stand-ins."""

import sys
from pathlib import Path

import pytest
import torch
from helpers import inputs_for
from model.test_contract import READING, make, spec_for
from torch import Tensor, nn

import litmus
from litmus.cli.main import main
from litmus.errors import UserError
from litmus.inference import device
from litmus.inference.device import check_device, find_device, on_device

EARLIER = Path(__file__).parent.parent / "earlier" / "fnn-mnist"


def there_are(patch: pytest.MonkeyPatch, *, cuda: bool = False, mps: bool = False) -> None:
    patch.setattr(device, "may_have_gpu", lambda: cuda)
    patch.setattr(sys, "platform", "darwin" if mps else "linux")
    patch.setattr(torch.cuda, "is_available", lambda: cuda)
    patch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("name", "cuda", "mps", "found"),
    [
        ("auto", False, False, "cpu"),
        ("auto", True, False, "cuda"),
        ("auto", False, True, "mps"),
        ("cpu", True, True, "cpu"),
        ("cuda", True, False, "cuda"),
        ("mps", False, True, "mps"),
    ],
)
def test_auto_takes_a_gpu_if_there_is_one(
    name: str, cuda: bool, mps: bool, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there_are(monkeypatch, cuda=cuda, mps=mps)
    assert find_device(name) == found


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_missing_is_refused_before_torch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    there_are(monkeypatch)
    for call in (check_device, find_device, lambda each: litmus.load(EARLIER, each)):
        with pytest.raises(UserError, match=f"device {name}: there is none here. Use auto or cpu."):
            call(name)
    with pytest.raises(UserError, match="no device gpu. Choose one of: auto, cpu, cuda, mps"):
        check_device("gpu")


def test_the_command_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    there_are(monkeypatch)
    with pytest.raises(SystemExit, match="litmus predict: device cuda: there is none here"):
        main(["predict", str(EARLIER), "digit.png", "--device", "cuda"])


class Noting(nn.Module):
    """Says on which device its input is."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.seen: list[str] = []

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(x.device.type)
        return torch.ones(2)


def test_inputs_go_to_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "find_device", lambda _: "meta")
    net = on_device(Noting(), "auto")  # type: ignore[arg-type]
    assert net.weight.device.type == "meta"  # type: ignore[attr-defined]
    answer = net(torch.zeros(3))
    assert net.seen == ["meta"]  # type: ignore[attr-defined]
    assert answer.device.type == "cpu"


def test_on_the_cpu_a_network_stays_as_it_is() -> None:
    net = Noting()
    assert on_device(net, "cpu") is net  # type: ignore[arg-type]
    assert not net._forward_hooks
    assert not net._forward_pre_hooks


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU of NVIDIA's")
@pytest.mark.parametrize(("name", "read"), READING)
def test_a_gpu_answers_the_same(name: str, read: type) -> None:
    spec = spec_for(name, read)
    net = make(name, spec).eval()
    with torch.inference_mode():
        expected = net(inputs_for(spec))
        answer = on_device(net, "cuda")(inputs_for(spec))
    assert answer.device.type == "cpu"
    assert torch.allclose(answer, expected, rtol=1e-2, atol=1e-2)  # TF32, and boxes in pixels
