"""What every network promises, found by what lies in conf/model."""

import copy
import importlib
from dataclasses import replace

import pytest
import torch
from helpers import COLUMNS, CONF, DIGITS, IN_SCENES, SCENES, TEXTS, TINY, WINDOWS, composed, inputs_for

from litmus.config.instantiate import build
from litmus.errors import UserError
from litmus.model._base import Net
from litmus.spec import Boxes, Classes, Columns, Images, Labels, Series, Spec, Tokens, Values

NAMES = sorted(path.stem for path in (CONF / "model").glob("*.yaml"))
SPECS = {Images: DIGITS, Tokens: TEXTS, Series: WINDOWS, Columns: COLUMNS}
WEIGHTED = torch.nn.Linear | torch.nn.Conv2d | torch.nn.LSTM


def section(name: str) -> dict:
    return composed(f"model={name}", *TINY.get(name, []))["model"]


def kind(name: str) -> type[Net]:
    module, _, cls = section(name)["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), cls)


def fitting(name: str) -> Spec:
    """Facts of data that the network reads."""
    return spec_for(name, kind(name).input_kinds[0])


def spec_for(name: str, read: type) -> Spec:
    return SCENES if detects(name) else SPECS[read]


def detects(name: str) -> bool:
    return Boxes in kind(name).target_kinds


READING = [(name, read) for name in NAMES for read in kind(name).input_kinds]


def make(name: str, spec: Spec, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return build({**section(name), **changes}, spec)


def outputs_and_gradients(
    net: torch.nn.Module, inputs: torch.Tensor, bf16: bool = False
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    torch.manual_seed(1)
    net.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):  # as Lightning: not around `backward`
        outputs = net(inputs)
        loss = loss_of(net, outputs, len(inputs))
    loss.backward()
    return flat(outputs), [p.grad for p in net.parameters() if p.requires_grad]


def loss_of(net: torch.nn.Module, outputs: torch.Tensor | dict, batch_size: int) -> torch.Tensor:
    if isinstance(net.spec.target, Boxes):
        return sum(net.losses(outputs, IN_SCENES.expand(batch_size, -1, -1)).values())
    if isinstance(net.spec.target, Values):
        return (outputs - 1).square().mean()  # a forecaster begins at 0
    if isinstance(net.spec.target, Labels):
        criterion = net.criterion or (
            lambda x, y, s: torch.nn.functional.binary_cross_entropy_with_logits(x, y.float())
        )
        return criterion(outputs, torch.arange(outputs.numel()).reshape(outputs.shape) % 3 == 0, 0.0)
    criterion = net.criterion or (lambda x, y, s: torch.nn.functional.cross_entropy(x, y))
    return criterion(outputs, torch.arange(batch_size) % 10, 0.0)


def flat(outputs: torch.Tensor | dict) -> torch.Tensor:
    """What a network gives, as one tensor to compare."""
    return outputs if isinstance(outputs, torch.Tensor) else torch.cat([outputs["boxes"], outputs["scores"]], dim=1)


@pytest.mark.parametrize(("name", "read"), READING)
def test_shape_dtype_and_finite_gradients(name: str, read: type) -> None:
    spec = spec_for(name, read)
    outputs, gradients = outputs_and_gradients(make(name, spec), inputs_for(spec))
    if not detects(name):
        assert outputs.shape == (8, len(spec.target.names))
    assert outputs.dtype == torch.float32
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert any(g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize(("name", "read"), [each for each in READING if each[1] is not Series and not detects(each[0])])
def test_a_network_that_takes_classes_takes_labels(name: str, read: type) -> None:
    spec = replace(spec_for(name, read), target=Labels(("big", "old", "red")))
    outputs, gradients = outputs_and_gradients(make(name, spec), inputs_for(spec))
    assert outputs.shape == (8, 3)
    assert all(g is not None and g.isfinite().all() for g in gradients)
    assert any(g.abs().sum() > 0 for g in gradients)


@pytest.mark.parametrize(("name", "read"), READING)
@pytest.mark.parametrize("residual", [False, True])
def test_every_network_trains_in_bf16(name: str, read: type, residual: bool) -> None:
    if residual and "residual" not in section(name):
        pytest.skip("it has no such key")
    spec = spec_for(name, read)
    net = make(name, spec, dropout=0.1, batchnorm=True, **({"residual": True} if residual else {}))
    _, gradients = outputs_and_gradients(net, inputs_for(spec), bf16=True)
    assert all(g is not None and g.dtype == torch.float32 and g.isfinite().all() for g in gradients)


@pytest.mark.parametrize("name", [name for name, read in READING if read is Images and not detects(name)])
@pytest.mark.parametrize("size", [(3, 32, 32), (1, 8, 12)])
def test_other_sizes_of_images(name: str, size: tuple[int, int, int]) -> None:
    channels, height, width = size
    spec = Spec("photos", Images(channels, height, width, (0.5,) * channels, (0.2,) * channels), Classes(("a", "b")))
    assert make(name, spec)(torch.randn(4, *size)).shape == (4, 2)


def normal(net: torch.nn.Module) -> None:
    """A head that does something, in networks that begin with one of zeros."""
    if hasattr(net, "head"):
        torch.nn.init.normal_(net.head.weight)


@pytest.mark.parametrize("name", NAMES)
def test_deterministic_in_evaluation(name: str) -> None:
    spec = fitting(name)
    net = make(name, spec, dropout=0.5, batchnorm=True).eval()
    with torch.no_grad():
        assert torch.equal(net(inputs_for(spec)), net(inputs_for(spec)))


@pytest.mark.parametrize("name", NAMES)
def test_dropout_acts_in_training_alone(name: str) -> None:
    spec = fitting(name)
    inputs = inputs_for(spec)
    net = make(name, spec, dropout=0.5)
    normal(net)
    assert not torch.equal(flat(net(inputs)), flat(net(inputs)))
    net.eval()
    without = make(name, spec, dropout=0.0)
    if without.state_dict().keys() == net.state_dict().keys():  # statistics of batch norm have moved
        without.load_state_dict(net.state_dict())
    else:
        without.head.weight = net.head.weight
    assert torch.allclose(net(inputs), without.eval()(inputs), atol=1e-6)
    without.train()
    assert torch.equal(flat(without(inputs)), flat(without(inputs))), "without dropout, training is deterministic, too"


@pytest.mark.parametrize("name", NAMES)
def test_batchnorm_s_statistics_move_in_training_alone(name: str) -> None:
    spec = fitting(name)
    net = make(name, spec, batchnorm=True)

    def statistics() -> list[torch.Tensor]:
        return [copy.deepcopy(b) for n, b in net.named_buffers() if "running" in n]

    before = statistics()
    assert before
    net.eval()(inputs_for(spec))
    assert all(torch.equal(a, b) for a, b in zip(before, statistics(), strict=True))
    net.train()(inputs_for(spec))
    assert all(not torch.equal(a, b) for a, b in zip(before, statistics(), strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_l2_s_gradient_is_2_l2_w_on_weights_alone(name: str) -> None:
    l2 = 0.01
    net = make(name, fitting(name), l2=l2, batchnorm=True)
    normal(net)
    decayed = {id(p) for group in net.parameter_groups() if group["weight_decay"] for p in group["params"]}
    assert {group["weight_decay"] for group in net.parameter_groups()} == {2 * l2, 0.0}
    layers = [m for m in net.modules() if isinstance(m, WEIGHTED)]
    weights = [p for m in layers for n, p in m.named_parameters(recurse=False) if "weight" in n and p.requires_grad]
    assert decayed == {id(p) for p in weights}, "matrices and kernels, not biases, norms or embeddings"
    # A step of plain gradient descent with a zero loss moves w by -lr * 2 * l2 * w, and nothing else.
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    groups = [{k: v for k, v in group.items() if k != "lr_scale"} for group in net.parameter_groups()]
    torch.optim.SGD(groups, lr=0.5).step()
    for n, p in net.named_parameters():
        expected = before[n] - 0.5 * 2 * l2 * before[n] if id(p) in decayed else before[n]
        assert torch.allclose(p, expected)
    penalty = l2 * sum(float((p.detach() ** 2).sum()) for p in weights)
    assert float(net.l2_penalty()) == pytest.approx(penalty, rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_in_exactly_one_group(name: str) -> None:
    net = make(name, fitting(name), l2=0.1, batchnorm=True)
    grouped = [id(p) for group in net.parameter_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in net.parameters() if p.requires_grad)


@pytest.mark.parametrize(("name", "read"), READING)
def test_its_matrices_between_layers_are_under_l2_and_its_class_says_whether_it_has_any(name: str, read: type) -> None:
    net = make(name, spec_for(name, read), l2=0.1)
    decayed = {id(p) for group in net.parameter_groups() if group["weight_decay"] for p in group["params"]}
    hidden = net.hidden_matrices()
    assert bool(hidden) == net.has_hidden_matrices
    assert all(p.ndim == 2 and id(p) in decayed for p in hidden)
    assert not {id(p) for p in hidden} & {id(p) for p in net.last_layer.parameters()}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("read", [Images, Tokens, Series, Columns])
def test_data_that_it_cannot_read_is_refused_by_name(name: str, read: type) -> None:
    if read in kind(name).input_kinds:
        pytest.skip("it reads that")
    nouns = " or ".join(k.noun for k in kind(name).input_kinds)
    spec = SPECS[read]
    fit = [f"model={other}" for other in NAMES if kind(other).fits(spec)]
    with pytest.raises(UserError) as refused:
        make(name, spec)
    hint = f"Try {' or '.join(fit)}." if fit else "No model here fits this data."
    said = f"model={name} takes {nouns}, but data={spec.data} provides {spec.input.noun}. {hint}"
    assert str(refused.value) == said


@pytest.mark.parametrize("name", NAMES)
def test_a_target_that_it_cannot_answer_is_refused_by_name(name: str) -> None:
    other = Classes(("a", "b")) if detects(name) else Boxes(("cat",))
    spec = Spec("scenes", fitting(name).input, other)
    nouns = " or ".join(k.noun for k in kind(name).target_kinds)
    with pytest.raises(
        UserError, match=f"model={name} predicts {nouns}, but the targets of data=scenes are {other.noun}"
    ):
        make(name, spec)


def test_a_refusal_names_what_fits(digits: Spec) -> None:
    fitting = (
        "model=cnn or model=fnn or model=linear or model=lstm or model=perceptron or model=resnet or model=scratch"
    )
    with pytest.raises(UserError, match=f"Try {fitting}."):
        make("bert", digits)


@pytest.mark.parametrize("name", NAMES)
def test_wrong_arguments_are_refused_in_python_too(name: str) -> None:
    with pytest.raises(UserError, match="dropout is a probability"):
        make(name, fitting(name), dropout=1.0)
    with pytest.raises(TypeError):
        make(name, fitting(name), dropuot=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_s_settings_and_weights_rebuild_it(name: str) -> None:
    spec = fitting(name)
    net = make(name, spec, batchnorm=True).eval()
    again = make(name, spec, batchnorm=True, **net.rebuild_settings())
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.eval()(inputs_for(spec)), net(inputs_for(spec)))


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
