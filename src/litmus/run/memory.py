"""Whether a training fits into memory: estimated before it begins, and said in a sentence if it does not.

Estimates are what is needed at least, so that nothing is refused that would run: the weights, their gradients, what
the optimizer keeps for each, and what a batch leaves for the backward pass. A training that needs more than that may
still run out of memory; `explained` then says what to set.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from litmus.config.instantiate import build, defaults
from litmus.config.keys import choice
from litmus.config.machine import available_memory
from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.config.validate import shown
from litmus.errors import UserError
from litmus.spec import Tokens
from litmus.trainer import Hardware

GB = 10**9
# What RuntimeErrors say where torch has no exception of its own: CPU allocators, Apple's GPUs, NVIDIA's libraries.
SHORTAGES = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")
BATCH_NORMS = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm
MAKES_TENSORS = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn)


class _Allocations(TorchFunctionMode):
    """Adds up the tensors that the constructors of layers make, before they are made.

    Not on the `meta` device, which would need no memory at all: its first use imports for a second, and neither the
    encoders of transformers nor the networks of ultralytics can be built there.

    Args:
        refuse: is given the bytes so far, those of the next tensor included.
    """

    def __init__(self, refuse: Callable[[int], None]) -> None:
        super().__init__()
        self.refuse = refuse
        self.num_bytes = 0

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        keywords = kwargs or {}
        if func in MAKES_TENSORS:
            size = args[0] if args and isinstance(args[0], Sequence) else keywords.get("size", args)
            dtype = cast(torch.dtype, keywords.get("dtype") or torch.get_default_dtype())
            self.num_bytes += math.prod(cast(Sequence[int], size)) * dtype.itemsize
            self.refuse(self.num_bytes)
        return func(*args, **keywords)


@contextmanager
def building(config: Section, hardware: Hardware) -> Iterator[None]:
    """A network is built in the body, unless its weights alone would not fit into memory, once for each process here.

    Raises:
        UserError: they would not; the tensor that is too much is never made.
    """
    available = available_memory() // hardware.devices
    each = f" for each of {hardware.devices} processes" if hardware.devices > 1 else ""

    def refuse(num_bytes: int) -> None:
        if num_bytes > available:
            raise UserError(
                f"{_largest_key(config)} is too large for this machine: the network's weights need at least "
                f"{_gb(num_bytes)}, and {_gb(available)} of memory are available{each}."
            )

    with _Allocations(refuse):
        yield


def check(config: Section, net: Net, num_training: int, hardware: Hardware) -> None:
    """Checks that a run can take its training steps.

    Args:
        config: resolved.
        net: built, on the CPU.
        num_training: samples of the training split.
        hardware: that trains.

    Raises:
        UserError: a process would have no sample, or one where batch norm needs two, or too little memory.
    """
    batch_size = min(config["data"]["batch_size"], num_training) // hardware.num_processes  # of a process
    if batch_size == 0:
        raise UserError(f"{num_training} training samples are too few for {hardware.num_processes} processes.")
    if batch_size == 1:
        _check_batch_norm(config, net, num_training, hardware.num_processes)
    _check_memory(config, net, batch_size, hardware)


def explained(error: BaseException, config: Section, training: bool) -> BaseException:
    """The same error, or a UserError that says what to set where it means that memory has run out.

    Args:
        error: that ended a run.
        config: of the run.
        training: whether there was a network by then, and not only data.
    """
    kinds = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if not kinds and not (isinstance(error, RuntimeError) and any(sign in str(error) for sign in SHORTAGES)):
        return error
    data = config["data"]
    where = "The GPU is" if isinstance(error, torch.OutOfMemoryError) else "The machine is"
    if not training:
        limit = "Set data.limit, or free memory." if "limit" in data else "Free memory."
        return UserError(f"{where} out of memory: the data do not fit. {limit}")
    halves = {key: data[key] // 2 for key in ("batch_size", "eval_batch_size") if isinstance(data.get(key), int)}
    smaller = [f"data.{key}={half}" for key, half in halves.items() if half > 0]
    sizes = " and ".join(f"data.{key}={data[key]}" for key in ("batch_size", "eval_batch_size") if key in data)
    advice = f"Set {' and '.join(smaller)}, or" if smaller else "Set"
    return UserError(f"{where} out of memory with {sizes}. {advice} a smaller model.")


def _check_batch_norm(config: Section, net: Net, num_training: int, processes: int) -> None:
    """Refuses batches of one sample where a layer of batch norm would have a single value for each channel."""
    trial = cast(nn.Module, copy.deepcopy(net)).train()
    if not any(isinstance(module, BATCH_NORMS) and module.training for module in trial.modules()):
        return
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            trial(net.example(1))
    except ValueError:  # torch's own, and that of `scratch`
        if num_training < 2 * processes:
            samples = f"the training split has {num_training}"
            advice = "Set data.limit higher" if config["data"].get("limit") else "Use more data"
        else:
            samples = f"data.batch_size={config['data']['batch_size']} gives each process one"
            advice = f"Set data.batch_size={2 * processes}"
        raise UserError(
            f"Batch norm cannot train on single samples, and {samples}. {advice}, or model.batchnorm=false."
        ) from None


@dataclass(frozen=True)
class MemoryNeeded:
    """Bytes that a training needs in each process, at least, and has.

    Attributes:
        of_weights: gradients, and what the optimizer keeps; on a GPU, the weights, too.
        of_sample: activations.
        available: for the process.
        place: whose memory that is.
    """

    of_weights: int
    of_sample: int
    available: int
    place: str

    def of(self, batch_size: int) -> int:
        """With so many samples at a time."""
        return self.of_weights + self.of_sample * batch_size


def memory_needed(config: Section, net: Net, hardware: Hardware, longest: bool = False) -> MemoryNeeded:
    """What a training needs.

    Args:
        config: resolved.
        net: built, on the CPU.
        hardware: that trains.
        longest: whether texts are taken to be as long as they may be, and not short.
    """
    weights = sum(p.nbytes for p in net.parameters())
    trained = sum(p.nbytes for p in net.parameters() if p.requires_grad)
    shards = hardware.num_processes if config["trainer"]["strategy"] == "fsdp" else 1
    of_weights = trained * (1 + states_per_weight(config["optimizer"])) // shards
    half = 1 if hardware.precision == 32 else 2
    if shards > 1 and half == 2:
        of_weights += weights // 2  # each process computes with a copy in 16 bits
    example = longest_example if longest else lambda net, size: net.example(size)
    of_sample = _activations(net, example(net, 1)) // half
    if hardware.accelerator == "cuda":
        available, place = torch.cuda.mem_get_info()[0], "of the GPU's memory"
        of_weights += weights // shards
        if shards > 1:  # one GPU tests the whole network, beside its shards
            of_weights = max(of_weights, weights // shards + weights)
    else:
        available, place = available_memory() // hardware.devices, "of memory"
    if longest or of_weights + of_sample * config["data"]["batch_size"] // hardware.num_processes > available:
        of_sample = _activations(net, example(net, 2)) // half - of_sample  # what does not grow counts once
    return MemoryNeeded(of_weights, of_sample, available, place)


def longest_example(net: Net, batch_size: int) -> Tensor:
    """As `Net.example`, with texts that are as long as they may be."""
    if isinstance(net.spec.input, Tokens):
        return net.example(1)[:, :1].expand(batch_size, net.spec.input.max_length).contiguous()
    return net.example(batch_size)


def _check_memory(config: Section, net: Net, batch_size: int, hardware: Hardware) -> None:
    needed = memory_needed(config, net, hardware)
    if needed.of(batch_size) <= needed.available:
        return
    if needed.of_weights > needed.available // 2:
        divides = hardware.num_processes > 1 and config["trainer"]["strategy"] != "fsdp"
        advice = " trainer.strategy=fsdp divides the latter among the processes." if divides else ""
        key = _largest_key(config)
    else:
        fitting = max((needed.available - needed.of_weights) // needed.of_sample * hardware.num_processes // 2, 1)
        key, advice = f"data.batch_size={config['data']['batch_size']}", f" data.batch_size={fitting} would fit."
    raise UserError(
        f"{key} is too large for this machine: training needs at least {_gb(needed.of(batch_size))} (gradients and "
        f"the optimizer's state {_gb(needed.of_weights)}, activations of a batch "
        f"{_gb(needed.of_sample * batch_size)}), and {_gb(needed.available)} {needed.place} are available.{advice}"
    )


def states_per_weight(optimizer: Section) -> int:
    """How many numbers the optimizer keeps for each weight: two for Adam."""
    weight, last = nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(2, 2))
    weight.grad = torch.zeros(2, 3)
    groups = [{"params": [weight, last], "is_hidden": [True, False]}]
    made: torch.optim.Optimizer = build(optimizer, groups, False)
    made.step()
    kept = made.state[weight].values()
    return sum(isinstance(state, Tensor) and state.shape == weight.shape for state in kept)


def _activations(net: Net, inputs: Tensor) -> int:
    """Bytes that a batch leaves in memory for the backward pass, and some that do not depend on its size."""
    own = {p.untyped_storage().data_ptr() for p in net.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}  # which keeps them alive, so that no two have the same address

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    training = net.training
    try:
        with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
            net.eval()(inputs)
    finally:
        net.train(training)
    return sum(storage.nbytes() for storage in kept.values())


def _largest_key(config: Section) -> str:
    """The key of the model that exceeds its default most, with its value; where none does, the size of the data."""
    usual, growth = defaults("model", choice(config, "model")), {}
    for key, value in config["model"].items():
        growth[key] = _largest_number(value) / max(_largest_number(usual.get(key)), 1)
    key = max(growth, key=growth.__getitem__)
    if growth[key] > 1:
        return f"model.{key}={shown(config['model'][key])}"
    size = config["data"].get("size")
    return f"data.size={size}" if size else f"The input of data={choice(config, 'data')}"


def _largest_number(value: object) -> float:
    if isinstance(value, dict | list):
        return max(map(_largest_number, value.values() if isinstance(value, dict) else value), default=0)
    return value if isinstance(value, int | float) else 0


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / GB:,.1f} GB" if num_bytes < GB**2 else "more than a billion GB"
