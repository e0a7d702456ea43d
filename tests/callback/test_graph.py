"""The graph of every network: it opens on layers, what flows between them is right, and the network stays as it was."""

import pytest
import torch
from helpers import CONF, DIGITS, READS, TINY, composed, inputs_for
from torch import Tensor, nn

from litmus.callback._graph import FEWEST, graph_of, layers_of
from litmus.config.instantiate import build
from litmus.model._base import Net


def made(model: str) -> Net:
    return build(composed(f"model={model}", *TINY.get(model, []))["model"], READS.get(model, DIGITS))


@pytest.mark.parametrize("model", sorted(path.stem for path in (CONF / "model").glob("*.yaml")))
def test_the_graph_of_a_network_opens_on_its_layers(model: str) -> None:
    net = made(model)
    before = {name: each.clone() for name, each in net.state_dict().items()}
    state = torch.get_rng_state()
    graph = graph_of(net, inputs_for(net.spec, 2))
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    assert net.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())
    names = [node.name for node in graph.node]
    assert len(set(names)) == len(names)
    assert all(each in names for node in graph.node for each in node.input)
    layers = [module for module in net.modules() if not any(module.children()) and not isinstance(module, nn.Identity)]
    boxes = {name.partition("/")[0] for name in names} - {"input", "output"}
    assert min(len(layers), FEWEST) - 2 <= len(boxes) <= 30
    # From the output, everything that has weights is reached.
    sources = {node.name: list(node.input) for node in graph.node}
    reached, waiting = set(), ["output"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += sources[name]
    assert "input" in reached
    counted = {node.name for node in graph.node if "parameters" in node.attr}
    unused = {name for name in counted - reached if "Detect" not in name}  # its scores are decoded outside of layers
    assert not unused


def test_layers_alone_of_a_network_that_cannot_be_watched() -> None:
    names = [node.name for node in layers_of(made("cnn")).node]
    assert "features.0/Conv2d 0" in names
    assert "Linear head" in names


class Branching(nn.Module):
    """A sum of two layers of which one is used twice, and what meets in a product."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.one(x), self.two(x)
        return (a + b.relu()) * self.one(b)


def test_what_layers_meet_in_is_a_node() -> None:
    graph = graph_of(Branching(), torch.zeros(1, 3))
    inputs = {node.name: list(node.input) for node in graph.node}
    assert inputs["add"] == ["Linear one", "Linear two"]
    assert inputs["Linear one (2)"] == ["Linear two"]
    assert inputs["mul"] == ["add", "Linear one (2)"]
    assert inputs["output"] == ["mul"]
