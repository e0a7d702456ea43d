"""What every network promises, found by what lies in conf/model."""

import copy

import pytest
import torch
from conftest import CONF, composed

from litmus.check import Refused
from litmus.run import build
from litmus.spec import Boxes, Classes, Images, Series, Spec, Tokens

NAMES = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))


def make(name: str, spec: Spec, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return build({**composed(f"model={name}")["model"], **changes}, spec)


def outputs_and_gradients(net: torch.nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    torch.manual_seed(1)
    net.zero_grad()
    logits = net(images)
    targets = torch.arange(len(images)) % 10
    criterion = net.criterion or (lambda x, y, s: torch.nn.functional.cross_entropy(x, y))
    criterion(logits, targets, 0.0).backward()
    return logits, [p.grad for p in net.parameters()]


@pytest.mark.parametrize("name", NAMES)
def test_shape_dtype_and_finite_gradients(name: str, digits: Spec, images: torch.Tensor) -> None:
    logits, gradients = outputs_and_gradients(make(name, digits), images)
    assert logits.shape == (8, 10)
    assert logits.dtype == torch.float32
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert any(g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(3, 32, 32), (1, 8, 12)])
def test_other_sizes_of_images(name: str, size: tuple[int, int, int]) -> None:
    channels, height, width = size
    spec = Spec("photos", Images(channels, height, width, (0.5,) * channels, (0.2,) * channels), Classes(("a", "b")))
    assert make(name, spec)(torch.randn(4, *size)).shape == (4, 2)


@pytest.mark.parametrize("name", NAMES)
def test_deterministic_in_evaluation(name: str, digits: Spec, images: torch.Tensor) -> None:
    net = make(name, digits, dropout=0.5, batchnorm=True).eval()
    with torch.no_grad():
        assert torch.equal(net(images), net(images))


@pytest.mark.parametrize("name", NAMES)
def test_dropout_acts_in_training_alone(name: str, digits: Spec, images: torch.Tensor) -> None:
    net = make(name, digits, dropout=0.5)
    torch.nn.init.normal_(net.head.weight)
    assert not torch.equal(net(images), net(images))
    net.eval()
    without = make(name, digits, dropout=0.0).eval()
    without.head.weight = net.head.weight
    assert torch.allclose(net(images), without(images))


@pytest.mark.parametrize("name", NAMES)
def test_batchnorm_s_statistics_move_in_training_alone(name: str, digits: Spec, images: torch.Tensor) -> None:
    net = make(name, digits, batchnorm=True)

    def statistics() -> list[torch.Tensor]:
        return [copy.deepcopy(b) for n, b in net.named_buffers() if "running" in n]

    before = statistics()
    assert before
    net.eval()(images)
    assert all(torch.equal(a, b) for a, b in zip(before, statistics(), strict=True))
    net.train()(images)
    assert all(not torch.equal(a, b) for a, b in zip(before, statistics(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_l2_s_gradient_is_2_l2_w_on_weights_alone(name: str, digits: Spec) -> None:
    l2 = 0.01
    net = make(name, digits, l2=l2, batchnorm=True)
    torch.nn.init.normal_(net.head.weight)
    decayed = {id(p) for group in net.parameter_groups() if group["weight_decay"] for p in group["params"]}
    assert {group["weight_decay"] for group in net.parameter_groups()} == {2 * l2, 0.0}
    layers = [m for m in net.modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)]
    assert decayed == {id(m.weight) for m in layers}, "matrices and kernels, not biases, not norms"
    # A step of plain gradient descent with a zero loss moves w by -lr * 2 * l2 * w, and nothing else.
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    torch.optim.SGD(net.parameter_groups(), lr=0.5).step()
    for n, p in net.named_parameters():
        expected = before[n] - 0.5 * 2 * l2 * before[n] if id(p) in decayed else before[n]
        assert torch.allclose(p, expected)
    penalty = l2 * sum(float((m.weight.detach() ** 2).sum()) for m in layers)
    assert float(net.l2_penalty()) == pytest.approx(penalty, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_in_exactly_one_group(name: str, digits: Spec) -> None:
    net = make(name, digits, l2=0.1, batchnorm=True)
    grouped = [id(p) for group in net.parameter_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in net.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_data_that_it_cannot_read_is_refused_by_name(name: str) -> None:
    spec = Spec("sentiment", Tokens(100, 0), Classes(("bad", "good")))
    with pytest.raises(Refused, match=f"model={name} reads images; data=sentiment gives tokens. No network here fits"):
        make(name, spec)
    with pytest.raises(Refused, match=f"model={name} reads images; data=series gives series"):
        make(name, Spec("series", Series(10, 1), Classes(("up", "down"))))


@pytest.mark.parametrize("name", NAMES)
def test_a_target_that_it_cannot_answer_is_refused_by_name(name: str, digits: Spec) -> None:
    spec = Spec("scenes", digits.input, Boxes(("cat",)))
    with pytest.raises(Refused, match=f"model={name} answers with classes; data=scenes asks for boxes"):
        make(name, spec)


def test_a_refusal_names_what_fits(digits: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    from litmus.model.perceptron import Perceptron

    monkeypatch.setattr(Perceptron, "reads", (Tokens,))
    with pytest.raises(Refused, match="Try model=cnn or model=fnn or model=scratch"):
        make("perceptron", digits)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_arguments_are_refused_in_python_too(name: str, digits: Spec) -> None:
    with pytest.raises(Refused, match="dropout is a probability"):
        make(name, digits, dropout=1.0)
    with pytest.raises(TypeError):
        make(name, digits, dropuot=0.5)


@pytest.mark.parametrize("name", ["fnn", "scratch", "cnn"])
@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "tanh", "gelu"])
@pytest.mark.parametrize("init", ["he", "xavier", "normal", "default"])
def test_every_variant_learns_something(
    name: str, residual: bool, activation: str, init: str, digits: Spec, images: torch.Tensor
) -> None:
    net = make(name, digits, residual=residual, activation=activation, init=init, widths=[16, 16, 12])
    logits, gradients = outputs_and_gradients(net, images)
    assert logits.isfinite().all()
    assert all(g.isfinite().all() for g in gradients)
    assert gradients[0].abs().sum() > 0, "the first layer is reached"
