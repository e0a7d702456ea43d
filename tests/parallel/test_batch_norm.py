"""Batch norm whose statistics several processes share: theirs is what one process computes of all samples."""

import copy
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from helpers import MODELS, ON_BOXES, ON_PHOTOS, ON_TABLE, SMALL, TINY
from torch import Tensor, nn
from torch.multiprocessing.spawn import start_processes

from litmus.model.scratch import BatchNorm
from litmus.parallel.batch_norm import SharedStatistics
from litmus.record.folder import RunDir

DATA = {"bert": ON_TABLE, "resnet": ON_PHOTOS, "yolo": ON_BOXES}
SIZES = ((3, 5), (8, 0))  # samples of the two processes; one may have no share of the last batch
LAYERS = {
    "1d": (lambda: nn.BatchNorm1d(4), (4,)),
    "2d": (lambda: nn.BatchNorm2d(4, momentum=None), (4, 3, 2)),
    "plain": (lambda: nn.BatchNorm1d(4, affine=False), (4,)),
    "by hand": (lambda: BatchNorm(4), (4,)),
}


def inputs(shape: tuple[int, ...]) -> Tensor:
    """Far from zero: a difference of large sums would lose the variance."""
    return 100 + torch.randn(8, *shape, generator=torch.Generator().manual_seed(0))


def steps(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Output and gradients of the second of two steps, and what the layer keeps."""
    for _ in range(2):
        layer.zero_grad()
        x = x.detach().clone().requires_grad_()
        y = layer(x)
        weights = torch.arange(math.prod(x.shape[1:])).view(x.shape[1:]).cos()
        (y * weights * (x.detach() - 100)).sum().backward()
    assert x.grad is not None
    return [y.detach(), x.grad, *[p.grad for p in layer.parameters() if p.grad is not None], *layer.buffers()]


def of_a_process(rank: int, folder: str, name: str, sizes: tuple[int, int]) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    make, shape = LAYERS[name]
    layer = SharedStatistics().apply(make())
    torch.save(steps(layer, inputs(shape).split(sizes)[rank]), f"{folder}/{rank}")
    dist.destroy_process_group()


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("name", LAYERS)
def test_two_processes_compute_what_one_does(name: str, sizes: tuple[int, int], tmp_path: Path) -> None:
    make, shape = LAYERS[name]
    y, own, *others = steps(make(), inputs(shape))
    start_processes(of_a_process, (str(tmp_path), name, sizes), nprocs=2, start_method="fork")
    found = [torch.load(tmp_path / str(rank)) for rank in range(2)]
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(torch.cat([each[0] for each in found]), y, **close)
    torch.testing.assert_close(torch.cat([each[1] for each in found]), own, **close)
    num_buffers = len(list(make().buffers()))
    gradients, buffers = others[:-num_buffers], others[-num_buffers:]
    for i, gradient in enumerate(gradients):
        torch.testing.assert_close(found[0][2 + i] + found[1][2 + i], gradient, **close)
    for each in found:
        torch.testing.assert_close(each[-num_buffers:], buffers, **close)


def test_without_training_a_layer_is_as_it_was() -> None:
    layer = nn.BatchNorm1d(4).eval()
    x, before = inputs((4,)), copy.deepcopy(layer.state_dict())
    expected = layer(x)
    assert torch.equal(SharedStatistics().apply(layer)(x), expected)
    assert SharedStatistics().revert(layer) is layer
    assert "forward" not in vars(layer)
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())


@pytest.mark.usefixtures("tables", "image_files")
@pytest.mark.parametrize(
    "model", [pytest.param(model, marks=pytest.mark.wide if model == "cnn" else pytest.mark.slow) for model in MODELS]
)
@pytest.mark.parametrize("strategy", ["ddp", pytest.param("fsdp", marks=pytest.mark.slow)])
def test_every_network_with_batch_norm_trains_in_two_processes_as_in_one(
    model: str, strategy: str, train: Callable[..., RunDir]
) -> None:
    # After more steps, one process differs from itself as much where convolutions are rounded in another way.
    few = ["data.batch_size=8", "data.eval_batch_size=16", "trainer.max_epochs=1", "trainer.limit_batches=2"]
    words = [
        f"model={model}",
        *TINY.get(model, []),
        "model.batchnorm=true",
        "model.dropout=0",
        *few,
        "optimizer=sgd",
        "trainer.precision=32",
    ]
    small = DATA.get(model, ["data=mnist", *SMALL])
    one = train(*words, small=small, folder="one")
    both = ["trainer.accelerator=cpu", "trainer.devices=2", f"trainer.strategy={strategy}"]
    two = train(*words, *both, small=small, folder="two")
    assert two.read_result()["status"] == "finished", two.log.read_text()
    for alone, shared in zip(one.read_metrics(), two.read_metrics(), strict=True):
        # A detector's loss is divided by what is matched in a batch; a validation's batches have fewer images here.
        for name in ("train/loss", "val/loss") if model != "yolo" else ("train/loss",):
            assert shared[name] == pytest.approx(alone[name], rel=1e-3), name
