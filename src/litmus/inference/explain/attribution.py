"""How much each number of an input counts for an output, as Captum computes it.

Integrated gradients (Sundararajan et al. 2017) and Shapley values (Shapley 1953; sampled as by Štrumbelj and Kononenko
2010) are complete: they sum to the difference between the output and that for a baseline. Occlusion (Zeiler and Fergus
2014) and Grad-CAM (Selvaraju et al. 2017) are not.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from captum.attr import IntegratedGradients, LayerAttribution, LayerGradientXActivation, Occlusion, ShapleyValueSampling
from torch import Tensor, nn

from litmus.config.explanation import MOST_ERROR

Score = Callable[[Tensor], Tensor]  # float (batch, ...) -> (batch,), or (batch, scores) for `occlusion`
STEPS = (32, 64, 128, 256, 512, 1024)  # of the integral, until it is exact enough
BATCH = 32  # inputs at a time
PERMUTATIONS = 32  # of the columns, for Shapley values


@dataclass(frozen=True)
class Attribution:
    """What each number of an input adds to an output.

    Attributes:
        values: float32, of the input's shape.
        output: for the input.
        reference: for the baseline; the mean over several.
        error: how far the sum of the values is from `output - reference`, as a fraction of that.
    """

    values: Tensor
    output: float
    reference: float
    error: float


def integrated_gradients(score: Score, inputs: Tensor, baseline: Tensor) -> Attribution:
    """Of one input, by as many steps as it takes until they sum up to within 1 %, or by 1,024.

    Args:
        score: differentiable.
        inputs: float (1, ...).
        baseline: of the same shape.
    """
    with torch.no_grad():
        output, reference = (float(score(each)) for each in (inputs, baseline))
    difference = output - reference
    values, error = torch.zeros_like(inputs), 0.0
    for steps in STEPS if difference else ():
        integrated = IntegratedGradients(score).attribute(inputs, baseline, n_steps=steps, internal_batch_size=BATCH)
        values = integrated.detach().to(inputs.dtype)
        error = abs(float(values.double().sum()) - difference) / abs(difference)
        if error <= MOST_ERROR:
            break
    return Attribution(values, output, reference, error)


def occlusion(score: Score, inputs: Tensor, baseline: Tensor, side: int) -> Tensor:
    """How much the score falls where a square is covered, in the mean of the squares that cover a pixel.

    Args:
        score: gives (batch,), or (batch, scores), each of which is examined.
        inputs: float (1, channels, height, width).
        baseline: of the same shape, which shows in the squares.
        side: of a square in pixels; the next one lies half a side further.

    Returns:
        Float (scores, height, width); one score where there is no such dimension.
    """
    window, step = (inputs.shape[1], side, side), (inputs.shape[1], max(1, side // 2), max(1, side // 2))
    with torch.no_grad():
        values = Occlusion(score).attribute(inputs, window, step, baselines=baseline, perturbations_per_eval=BATCH)
    return values.mean(dim=1).float()


def grad_cam(score: Score, inputs: Tensor, layer: nn.Module) -> Tensor:
    """Where a layer's maps speak for the score: not negative, float (height, width).

    Gradients stay in their places (HiResCAM, Draelos and Carin 2020). Grad-CAM takes their mean over the map, which is
    the same where a network does so, too, as ResNet before its head; where a dense layer reads the map, as of the
    CNN, its pictures are no better than chance.

    Args:
        score: differentiable.
        inputs: float (1, channels, height, width).
        layer: that gives maps.
    """
    maps = LayerGradientXActivation(score, layer).attribute(inputs)
    assert isinstance(maps, Tensor)
    heat = maps.detach().sum(dim=1, keepdim=True).relu()
    return LayerAttribution.interpolate(heat, (inputs.shape[2], inputs.shape[3]), "bilinear")[0, 0].float()


def shapley_values(score: Score, inputs: Tensor, background: Tensor, groups: Tensor) -> Attribution:
    """Of one row of numbers, whose columns take the values of other rows when they are left out.

    Args:
        score: of (batch, numbers).
        inputs: (1, numbers).
        background: the other rows, (rows, numbers).
        groups: of each number its column, counted from 0 without gaps; int64 (numbers,).

    Returns:
        Values of columns, (columns,).
    """
    repeated = inputs.expand(len(background), -1).clone()
    with torch.no_grad(), torch.random.fork_rng([]):
        torch.manual_seed(0)  # Captum draws permutations from the global generator: the same question, the same answer
        output, reference = float(score(inputs)), float(score(background).mean())
        found = ShapleyValueSampling(score).attribute(
            repeated, background, feature_mask=groups[None], n_samples=PERMUTATIONS
        )
    first = torch.stack([(groups == number).nonzero()[0, 0] for number in range(int(groups.max()) + 1)])
    values = found.mean(dim=0)[first]
    difference = output - reference
    error = abs(float(values.double().sum()) - difference) / abs(difference) if difference else 0.0
    return Attribution(values.float(), output, reference, error)


@contextmanager
def giving(layer: nn.Module) -> Iterator[Callable[[Tensor], None]]:
    """In the body, the layer gives what the function was last called with, whatever its input."""
    given: list[Tensor] = []

    def replace(_: nn.Module, __: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return given[0] if given else output

    handle = layer.register_forward_hook(replace)
    try:
        yield lambda tensor: given.__setitem__(slice(None), [tensor])
    finally:
        handle.remove()


def last_maps(net: nn.Module, inputs: Tensor) -> nn.Module | None:
    """The last layer that gives maps of more than one place, other than pooling and dropout; None where none does.

    Args:
        net: in evaluation mode.
        inputs: float (1, channels, height, width).
    """
    found: list[nn.Module] = []

    def look(module: nn.Module, _: object, output: object) -> None:
        is_map = isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1
        if is_map and not isinstance(module, NO_MAPS):
            found.append(module)

    handles = [module.register_forward_hook(look) for module in net.modules()]
    try:
        with torch.no_grad():
            net(inputs)
    finally:
        for handle in handles:
            handle.remove()
    return found[-1] if found else None


NO_MAPS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.Dropout, nn.Dropout2d)
