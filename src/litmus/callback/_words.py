"""What a network says of samples, and what is true of them, in words."""

import torch

from litmus.config.protocols import Net, Outputs
from litmus.record.metrics import min_score_of
from litmus.spec import Classes, Labels, Values


def said(net: Net, given: Outputs, is_output: bool) -> list[tuple[str, ...]]:
    """Outputs or targets in words: see `protocols.Task.observers`."""
    target = net.spec.target
    if isinstance(given, list):
        numbers = [own[own[:, 4] >= min_score_of(net)][:, 5] if is_output else own[:, 0] for own in given]
        return [(_listed([target.names[i] for i in sorted(own.int().tolist())]),) for own in numbers]
    if isinstance(target, Classes):
        classes = given.argmax(dim=1) if is_output else given
        return [(target.names[i],) for i in classes.tolist()]
    if isinstance(target, Labels):
        return [(_listed([target.names[i] for i in row.nonzero()[:, 0].tolist()]),) for row in (given > 0).cpu()]
    assert isinstance(target, Values)
    values = given.double().cpu() * torch.tensor(target.std) + torch.tensor(target.mean)
    return [tuple(f"{value:.5g}" for value in row) for row in values.tolist()]


def _listed(names: list[str]) -> str:
    return ", ".join(names) or "none"
