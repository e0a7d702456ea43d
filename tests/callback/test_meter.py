"""What is logged of an epoch besides loss and metrics."""

import math

import pytest
import torch

from litmus.callback.meter import mean_norm

INF, NAN = math.inf, math.nan


@pytest.mark.parametrize(
    ("norms", "is_scaled", "mean"),
    [
        ([1.0, 3.0], False, 2.0),
        ([1.0, 3.0], True, 2.0),
        ([INF, 1.0, 3.0], True, 2.0),
        ([NAN, INF, 5.0], True, 5.0),
        ([INF, 1.0, 3.0], False, INF),
        ([INF, INF], True, INF),
    ],
)
def test_steps_that_a_scale_of_float16_skipped_are_left_out(norms: list[float], is_scaled: bool, mean: float) -> None:
    assert mean_norm([torch.tensor(norm) for norm in norms], torch.device("cpu"), is_scaled) == mean


def test_a_scaler_skips_the_first_steps() -> None:
    """As it does on a GPU: of an overflowing gradient no step is made, and the norm is infinite."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer, scaler = torch.optim.SGD([weight], lr=0.1), torch.amp.GradScaler("cpu", init_scale=2.0**120)
    norms = []
    for _ in range(2):
        optimizer.zero_grad()
        scaler.scale((weight * 1e10).sum()).backward()
        scaler.unscale_(optimizer)
        norms.append(torch.nn.utils.get_total_norm([weight.grad]))
        scaler.step(optimizer)
        scaler.update(1.0)  # as if it had been lowered many times
    assert norms[0] == INF
    assert mean_norm(norms, torch.device("cpu"), is_scaled=True) == norms[1]
