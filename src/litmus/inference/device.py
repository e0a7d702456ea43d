"""Where a network predicts: `--device`. What it is given and what it answers stay on the CPU."""

import sys
from typing import TYPE_CHECKING

from litmus.config.preflight import may_have_gpu
from litmus.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from litmus.config.protocols import Net

DEVICES = ("auto", "cpu", "cuda", "mps")


def check_device(name: str) -> None:
    """Refuses a device that this machine lacks for sure, before torch is imported.

    Raises:
        UserError: there is no such device.
    """
    if name not in DEVICES:
        raise UserError(f"There is no device {name}. Choose one of: {', '.join(DEVICES)}.")
    if (name == "cuda" and not may_have_gpu()) or (name == "mps" and sys.platform != "darwin"):
        raise UserError(_missing(name))


def find_device(name: str) -> str:
    """`cuda`, `mps` or `cpu`; `auto` takes the first of them that is there.

    Raises:
        UserError: there is no such device.
    """
    import torch

    check_device(name)
    found = [kind for kind, backend in (("cuda", torch.cuda), ("mps", torch.backends.mps)) if backend.is_available()]
    found.append("cpu")
    if name != "auto" and name not in found:
        raise UserError(_missing(name))
    return found[0] if name == "auto" else name


def on_device(net: "Net", name: str) -> "Net":
    """The network, moved to a device: inputs are copied to it, and outputs back to the CPU, whoever calls it.

    Args:
        net: in evaluation mode, on the CPU.
        name: one of `DEVICES`.

    Raises:
        UserError: there is no such device.
    """
    kind = find_device(name)
    if kind != "cpu":
        _move(net, kind)  # type: ignore[arg-type]  # every network is a module
    return net


def _move(net: "nn.Module", kind: str) -> None:
    net.to(kind)
    net.register_forward_pre_hook(lambda _, inputs: tuple(each.to(kind) for each in inputs))
    net.register_forward_hook(_to_cpu)


def _to_cpu(_: "nn.Module", inputs: object, output: "torch.Tensor") -> "torch.Tensor":  # noqa: ARG001  # torch calls it
    return output.cpu()


def _missing(name: str) -> str:
    return f"device {name}: there is none here. Use auto or cpu."
