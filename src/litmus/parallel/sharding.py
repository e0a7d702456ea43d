"""One network whose weights, gradients and optimizer's state are shared out among processes: `trainer.strategy=fsdp`.

torch's `fully_shard` (FSDP2; Zhao et al. 2023) cuts each weight along its first dimension. A process keeps one piece,
a `DTensor`; before a block of layers computes, forward or backward, the processes gather the block's weights, and drop
them after. Lightning's own strategy of that name wraps torch's first version, and needs GPUs.

All else of a run knows whole tensors: `whole` makes one. It waits for all processes, so all have to call it, in the
same order.
"""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Protocol, cast

import torch
import torch.distributed as dist
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor, nn
from torch.optim import Optimizer

from litmus.errors import UserError

MOST_BLOCKS = 200  # a part of a network with fewer than this share of its weights is no block
WHOLE = (Tensor, nn.Parameter)


class _Net(Protocol):
    """What is needed of a network besides nn.Module: see `litmus.model._base.Net`."""

    computes: tuple[str, ...]

    def example(self, batch_size: int) -> Tensor: ...


class _Task(Protocol):
    net: nn.Module


class Sharding(DDPStrategy):
    """Lightning's DDP, with a network in shards in place of copies of it.

    Checkpoints are those of every other run: rank 0 writes whole tensors, and each process takes its shards out of
    them. Weights that do not train stay whole, in each process: nothing is kept for them, and frozen layers may be
    computed by themselves.
    """

    @property
    def net(self) -> nn.Module:
        """The network."""
        return cast(_Task, self.lightning_module).net

    def model_to_device(self) -> None:
        """Shards the network on its way to the device, on which it is never whole."""
        from torch.distributed.device_mesh import init_device_mesh
        from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

        if scalars := [name for name, weight in self.net.named_parameters() if not weight.ndim]:
            raise UserError(f"trainer.strategy=fsdp cannot share out a single number: {scalars[0]}. Use ddp.")
        mesh = init_device_mesh(self.root_device.type, (self.world_size,))
        frozen = {weight for weight in self.net.parameters() if not weight.requires_grad}
        for weight in self.net.parameters():
            if weight not in frozen:  # kernels of images may have channels last, and so cannot be cut
                weight.data = weight.data.contiguous()
        for module in [*blocks(self.net), self.net]:
            # The outermost, too: between steps, all that reads weights finds shards.
            fully_shard(module, mesh=mesh, reshard_after_forward=True, ignored_params=frozen)
            kind = type(module)  # which `fully_shard` makes; the doctor and TensorBoard show the network's own
            kind.__name__ = kind.__bases__[-1].__name__
        for name in cast(_Net, self.net).computes:
            register_fsdp_forward_method(self.net, name)
        # Of outputs that are views: nothing here writes into them.
        warnings.filterwarnings("ignore", "FSDP2-wrapped module", UserWarning)
        super().model_to_device()

    def configure_ddp(self) -> None:
        """Nothing is left to do."""

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        self._share_buffers()
        return super().training_step(*args, **kwargs)

    def validation_step(self, *args: Any, **kwargs: Any) -> Any:
        self._share_buffers()
        _, targets = args[0]
        if not len(targets):  # a process without a share of the last batch, whose shards the others wait for
            self.net(cast(_Net, self.net).example(1).to(self.root_device))
        return super().validation_step(*args, **kwargs)

    @torch.no_grad()
    def _share_buffers(self) -> None:
        """Gives all processes the buffers of the first one, such as the statistics of batch norm, as DDP does."""
        kinds: dict[torch.dtype, list[Tensor]] = {}
        for buffer in self.net.buffers():
            kinds.setdefault(buffer.dtype, []).append(buffer)
        for buffers in kinds.values():
            flat = torch.cat([buffer.reshape(-1) for buffer in buffers])
            dist.broadcast(flat, 0)
            for buffer, own in zip(buffers, flat.split([buffer.numel() for buffer in buffers]), strict=True):
                buffer.copy_(own.view_as(buffer))

    def save_checkpoint(self, checkpoint: dict[str, Any], filepath: Any, storage_options: Any | None = None) -> None:
        super().save_checkpoint(_gathered(checkpoint, self.is_global_zero), filepath, storage_options)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        states = checkpoint["optimizer_states"]
        for optimizer, state in zip(self.optimizers, states, strict=True):
            optimizer.load_state_dict(_shared_out(state, optimizer))

    def teardown(self) -> None:
        """Lightning's would move shards to the CPU, where there are none of a GPU's."""
        assert self.cluster_environment is not None
        assert self.accelerator is not None
        self.cluster_environment.teardown()
        self.precision_plugin.teardown()
        self.accelerator.teardown()


def blocks(net: nn.Module) -> list[nn.Module]:
    """The parts of a network whose weights are gathered at a time; what is in none of them is gathered for its whole.

    They are the parts of its sequences and lists, the outermost, that have at least 1/200 of the weights that train.
    """
    least = _num_trained(net.parameters()) / MOST_BLOCKS
    uses = Counter(id(weight) for _, weight in net.named_parameters(remove_duplicate=False))
    found: dict[nn.Module, None] = {}

    def is_block(module: nn.Module) -> bool:
        own = Counter(id(weight) for _, weight in module.named_parameters(remove_duplicate=False))
        computes = not isinstance(module, nn.ModuleList | nn.ModuleDict)
        return computes and _num_trained(module.parameters()) >= max(least, 1) and own.items() <= uses.items()

    def look(module: nn.Module) -> None:
        for child in module.children():
            if isinstance(module, nn.Sequential | nn.ModuleList) and is_block(child):
                found[child] = None
            else:
                look(child)

    look(net)
    return list(found)


def _num_trained(weights: Iterable[Tensor]) -> int:
    return sum(weight.numel() for weight in weights if weight.requires_grad)


def is_sharded(module: nn.Module) -> bool:
    """Whether some of its weights are shards."""
    return any(is_shard(weight) for weight in module.parameters())


def is_shard(tensor: Tensor) -> bool:
    """Whether this process has a piece of it."""
    if type(tensor) in WHOLE:  # and what is below is not imported
        return False
    from torch.distributed.tensor import DTensor

    return isinstance(tensor, DTensor)


def whole(tensor: Tensor) -> Tensor:
    """The same values, whole: all processes call it at a time. A tensor that is whole is given back."""
    return cast(Any, tensor).full_tensor() if is_shard(tensor) else tensor


def own_part(tensor: Tensor) -> Tensor:
    """The piece that this process has, in the same memory; all of a tensor that is whole."""
    return cast(Any, tensor).to_local() if is_shard(tensor) else tensor


def shard_like(tensor: Tensor, other: Tensor) -> Tensor:
    """The piece of a whole tensor that this process has of another one of the same shape, on the same device.

    Args:
        tensor: in each process the same.
        other: where it is whole, nothing is cut.
    """
    if not is_shard(other):
        return tensor.to(other.device)
    from torch.distributed.tensor import distribute_tensor

    like, here = cast(Any, other), tensor.to(other.device).contiguous()
    return distribute_tensor(here, like.device_mesh, like.placements, src_data_rank=None)


def shard_copy(copy: nn.Module, sharded: nn.Module) -> None:
    """Cuts the weights of a whole copy of a module as the module's are cut, and moves it to the same device.

    The copy keeps weights; it does not compute.
    """
    others = dict(sharded.named_parameters(remove_duplicate=False))
    for prefix, module in copy.named_modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            cut = shard_like(weight.detach(), others[f"{prefix}.{name}" if prefix else name])
            module.register_parameter(name, nn.Parameter(cut, requires_grad=weight.requires_grad))
    copy.to(next(sharded.parameters()).device)


def _gathered(value: Any, keep: bool) -> Any:
    """The same dictionaries and lists with whole tensors on the CPU in place of shards; None where they are not kept.

    One at a time: no device holds two that are whole.
    """
    if isinstance(value, Tensor) and is_shard(value):
        made = whole(value.detach())  # which may be a part of something larger, and files hold all of that
        return torch.empty_like(made, device="cpu").copy_(made) if keep else None
    if isinstance(value, dict):
        return type(value)((key, _gathered(each, keep)) for key, each in value.items())
    if isinstance(value, list):
        return [_gathered(each, keep) for each in value]
    return value


def _shared_out(state: Mapping[str, Any], optimizer: Optimizer) -> dict[str, Any]:
    """An optimizer's state, whole, with shards where it has a number for each weight."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]

    def cut(value: Any, weight: Tensor) -> Any:
        is_like = isinstance(value, Tensor) and value.shape == weight.shape and value.ndim > 0
        return shard_like(value, weight) if is_like else value

    own = {
        number: {name: cut(value, weights[number]) for name, value in each.items()}
        for number, each in state["state"].items()
    }
    return {**state, "state": own}
