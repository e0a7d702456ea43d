"""`data.batch_size=auto`: the largest power of two whose training step fits into memory."""

from collections.abc import Callable
from typing import cast

import torch
from torch import nn

from litmus.config.instantiate import build
from litmus.config.protocols import Data, Net
from litmus.config.types import Section
from litmus.errors import UserError
from litmus.run import memory
from litmus.run.compiled import tensors
from litmus.trainer import Hardware

PART = 0.5  # of the memory, that a step may need by the estimate: gradients on their way, and buffers, are not in it


def find(config: Section, data: Data, hardware: Hardware) -> int:
    """The batch size over all processes.

    On a GPU steps are tried. On a CPU, where a process that takes too much is killed, what they need is estimated.

    Args:
        config: resolved, but for `data.batch_size`.
        data: prepared.
        hardware: that trains.

    Raises:
        UserError: not even one sample for each process fits.
    """
    with memory.building(config, hardware):
        net: Net = build(config["model"], data.spec)
    most = data.sizes["train"] // hardware.num_processes
    fits = _tries(config, net) if hardware.accelerator == "cuda" else _is_estimated_to(config, net, hardware)
    return largest_power(fits, most) * hardware.num_processes


def largest_power(fits: Callable[[int], bool], most: int) -> int:
    """The largest power of two, up to `most`, that fits as well as all smaller ones.

    Raises:
        UserError: one does not fit.
    """
    if most < 1 or not fits(1):
        raise UserError("data.batch_size=auto: not even a batch of one sample fits. Set a smaller model.")
    size = 1
    while 2 * size <= most and fits(2 * size):
        size *= 2
    return size


def _is_estimated_to(config: Section, net: Net, hardware: Hardware) -> Callable[[int], bool]:
    needed = memory.memory_needed(config, net, hardware, longest=True)
    return lambda size: needed.of(size) <= PART * needed.available


def _tries(config: Section, net: Net) -> Callable[[int], bool]:
    """Whether a step fits on the GPU: tried, with room for what the optimizer keeps."""
    module = cast(nn.Module, net).cuda()
    precision = torch.bfloat16 if config["trainer"]["precision"] == "bf16-mixed" else torch.float16
    mixed = config["trainer"]["precision"] != 32
    parameters = [weight for weight in module.parameters() if weight.requires_grad]
    states = memory.states_per_weight(config["optimizer"])

    def step(size: int) -> None:
        kept = [torch.zeros_like(weight) for weight in parameters for _ in range(states)]
        with torch.autocast("cuda", precision, enabled=mixed):
            outputs = tensors(module(memory.longest_example(net, size).cuda()))
        torch.stack([output.float().square().mean() for output in outputs]).sum().backward()
        torch.cuda.synchronize()
        del kept

    def fits(size: int) -> bool:
        try:
            step(size)
        except torch.OutOfMemoryError:
            return False
        finally:
            module.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()
        return True

    return fits
