"""Every hand-derived gradient against numerical differentiation, and the whole network against fnn."""

from dataclasses import replace

import pytest
import torch
from helpers import COLUMNS, inputs_for
from torch.autograd import gradcheck
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from litmus.model import scratch
from litmus.model._blocks import ACTIVATIONS
from litmus.model.fnn import FNN
from litmus.spec import Spec, Values


def double(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator).requires_grad_()


@pytest.mark.parametrize("bias", [True, False])
def test_linear(bias: bool) -> None:
    x, w, b = double(4, 3), double(5, 3, seed=1), double(5, seed=2) if bias else None
    assert gradcheck(scratch.LinearFunction.apply, (x, w, b))


@pytest.mark.parametrize("name", sorted(scratch._FUNCTIONS))
def test_activations(name: str) -> None:
    function = scratch._FUNCTIONS[name]
    x = double(6, 5)
    assert (x.abs() > 1e-3).all(), "away from the kinks, where the derivative exists"
    assert gradcheck(function.apply, (x,))
    wide = torch.linspace(-60, 60, 41, dtype=torch.float64)
    assert torch.allclose(function.apply(wide), ACTIVATIONS[name]()(wide), atol=1e-12)


def test_embedding() -> None:
    codes, weight = torch.tensor([2, 0, 2, 3]), double(4, 3)
    assert gradcheck(lambda w: scratch.EmbeddingFunction.apply(codes, w), (weight,))


def test_squared_error() -> None:
    outputs, targets = double(5, 2), double(5, 2, seed=1).detach()
    assert gradcheck(lambda y: scratch.mean_squared_error(y, targets, 0.0), (outputs,))
    assert torch.allclose(scratch.mean_squared_error(outputs, targets, 0.0), mse_loss(outputs, targets))


def test_sigmoid_cross_entropy() -> None:
    logits, targets = double(5, 3), (double(5, 3, seed=1) > 0).to(torch.uint8)
    assert gradcheck(lambda z: scratch.sigmoid_cross_entropy(z, targets, 0.0), (logits,))
    expected = binary_cross_entropy_with_logits(logits, targets.double())
    assert torch.allclose(scratch.sigmoid_cross_entropy(logits, targets, 0.0), expected)
    huge = torch.tensor([[1000.0, -1000.0]])
    assert scratch.sigmoid_cross_entropy(huge, torch.tensor([[1, 0]]), 0.0).item() == 0


def test_softmax_cross_entropy() -> None:
    logits, targets = double(6, 4), torch.tensor([0, 1, 2, 3, 3, 0])
    for smoothing in (0.0, 0.2):
        assert gradcheck(lambda z, e=smoothing: scratch.softmax_cross_entropy(z, targets, e), (logits,))
        expected = cross_entropy(logits, targets, label_smoothing=smoothing)
        assert torch.allclose(scratch.softmax_cross_entropy(logits, targets, smoothing), expected)
    huge = torch.tensor([[1000.0, 0.0], [0.0, -1000.0]])
    assert scratch.softmax_cross_entropy(huge, torch.tensor([0, 0]), 0.0).item() == 0


def test_batch_norm() -> None:
    x, w, b = double(7, 3), double(3, seed=1), double(3, seed=2)
    assert gradcheck(lambda *a: scratch.BatchNormFunction.apply(*a, 1e-5), (x, w, b))


def test_dropout() -> None:
    def dropped(x: torch.Tensor) -> torch.Tensor:
        torch.manual_seed(0)  # the same mask for every evaluation
        return scratch.DropoutFunction.apply(x, 0.4)

    assert gradcheck(dropped, (double(6, 5),))
    torch.manual_seed(0)
    y = scratch.DropoutFunction.apply(torch.ones(100_000), 0.4)
    assert sorted(y.unique().tolist()) == pytest.approx([0.0, 1 / 0.6], rel=2**-15)
    assert y.mean().item() == pytest.approx(1, abs=0.01)


def test_add() -> None:
    assert gradcheck(scratch.AddFunction.apply, (double(3, 2), double(3, 2, seed=1)))


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"dropout": 0.3},
        {"batchnorm": True},
        {"residual": True},
        {"dropout": 0.3, "batchnorm": True, "residual": True},
    ],
    ids=str,
)
def test_equal_to_fnn_step_for_step(activation: str, changes: dict, digits: Spec) -> None:
    settings = {"widths": [16, 16, 8], "activation": activation, "init": "he", "residual": False}
    settings |= {"dropout": 0.0, "batchnorm": False, "l2": 1e-3, **changes}
    torch.manual_seed(0)
    fnn = FNN(digits, **settings).double()
    torch.manual_seed(0)
    hand = scratch.Scratch(digits, **settings).double()
    hand.load_state_dict(fnn.state_dict())
    generator = torch.Generator().manual_seed(1)
    nets = [
        (fnn, cross_entropy),
        (hand, lambda z, t, label_smoothing: scratch.softmax_cross_entropy(z, t, label_smoothing)),
    ]
    optimizers = [torch.optim.Adam(net.parameter_groups(), lr=1e-2) for net, _ in nets]
    for step in range(6):
        x = torch.randn(12, 1, 28, 28, dtype=torch.float64, generator=generator)
        t = torch.randint(10, (12,), generator=generator)
        losses = []
        for (net, criterion), optimizer in zip(nets, optimizers, strict=True):
            torch.manual_seed(step)  # the same dropout masks
            optimizer.zero_grad()
            loss = criterion(net(x), t, label_smoothing=0.1)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[0] == pytest.approx(losses[1], abs=1e-10)
        for a, b in zip(fnn.state_dict().values(), hand.state_dict().values(), strict=True):
            assert torch.allclose(a, b, atol=1e-8), f"step {step}"
    fnn.eval()
    hand.eval()
    assert torch.allclose(fnn(x), hand(x), atol=1e-8)


def test_equal_to_fnn_on_columns_of_a_table() -> None:
    """Categories are embedded, and the loss is that for values: one step of each kind of gradient."""
    spec = replace(COLUMNS, target=Values(("a", "b"), (0.0, 0.0), (1.0, 1.0)))
    settings = {"widths": [16, 8], "activation": "tanh", "init": "he", "residual": True}
    settings |= {"dropout": 0.0, "batchnorm": True, "l2": 1e-3}
    torch.manual_seed(0)
    fnn = FNN(spec, **settings).double()
    torch.nn.init.normal_(fnn.head.weight)  # from zeros, no gradient reaches what is below
    hand = scratch.Scratch(spec, **settings).double()
    hand.load_state_dict(fnn.state_dict())
    x, t = inputs_for(spec, 20).double(), double(20, 2, seed=3).detach()
    mse_loss(fnn(x), t).backward()
    assert hand.criterion is scratch.mean_squared_error
    hand.criterion(hand(x), t, 0.0).backward()
    for (name, a), b in zip(fnn.named_parameters(), hand.parameters(), strict=True):
        assert a.grad.abs().sum() > 0, name
        assert torch.allclose(a.grad, b.grad, atol=1e-12), name


def test_same_weights_from_the_same_seed(digits: Spec) -> None:
    settings = {"widths": [16], "activation": "relu", "init": "default", "residual": False}
    settings |= {"dropout": 0.0, "batchnorm": False, "l2": 0.0}
    states = []
    for kind in (FNN, scratch.Scratch):
        torch.manual_seed(5)
        states.append(kind(digits, **settings).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][k], states[1][k]) for k in states[0])


def test_no_layer_is_torch_s_own(digits: Spec) -> None:
    net = scratch.Scratch(
        digits, widths=[8, 8], activation="gelu", init="he", residual=True, dropout=0.1, batchnorm=True, l2=0.0
    )
    on_columns = scratch.Scratch(
        COLUMNS, widths=[8], activation="relu", init="he", residual=False, dropout=0.0, batchnorm=False, l2=0.0
    )
    assert {type(m) for m in on_columns.modules() if isinstance(m, torch.nn.Embedding)} == {scratch.Embedding}
    own = {"Linear", "BatchNorm", "Dropout", "Elementwise", "Add"}
    plumbing = {"Flatten", "Identity"}
    leaves = [m for m in net.modules() if not list(m.children())]
    assert all(type(m).__module__ == scratch.__name__ or type(m).__name__ in plumbing for m in leaves)
    assert {type(m).__name__ for m in leaves} - plumbing == own


def test_a_batch_of_one_is_refused_by_batch_norm() -> None:
    with pytest.raises(ValueError, match="at least two samples"):
        scratch.BatchNorm(3)(torch.zeros(1, 3))
