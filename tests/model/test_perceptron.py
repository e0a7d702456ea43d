import pytest
import torch

from litmus.errors import UserError
from litmus.model.perceptron import Perceptron, label_loss, perceptron_loss
from litmus.spec import Spec


def test_parameters(digits: Spec) -> None:
    net = Perceptron(digits, dropout=0.0, batchnorm=False, l2=0.0)
    assert sum(p.numel() for p in net.parameters()) == 784 * 10 + 10


def test_a_step_is_the_perceptron_rule(digits: Spec) -> None:
    torch.manual_seed(0)
    net = Perceptron(digits, dropout=0.0, batchnorm=False, l2=0.0)
    torch.nn.init.normal_(net.head.weight)
    x = torch.randn(1, 1, 28, 28)
    scores = net(x)[0]
    chosen = int(scores.argmax())
    right = (chosen + 3) % 10
    before = net.head.weight.detach().clone()
    perceptron_loss(net(x), torch.tensor([right]), 0.0).backward()
    torch.optim.SGD(net.parameters(), lr=1.0).step()
    moved = net.head.weight.detach() - before
    assert torch.allclose(moved[right], x.flatten(), atol=1e-6)
    assert torch.allclose(moved[chosen], -x.flatten(), atol=1e-6)
    others = [k for k in range(10) if k not in (right, chosen)]
    assert torch.equal(moved[others], torch.zeros(8, 784))


def test_a_right_answer_teaches_nothing() -> None:
    scores = torch.tensor([[3.0, 1.0, 2.0]], requires_grad=True)
    loss = perceptron_loss(scores, torch.tensor([0]), 0.0)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(scores.grad, torch.zeros(1, 3))


def test_worked_number() -> None:
    scores = torch.tensor([[3.0, 1.0, 2.0], [0.5, 1.0, 0.0]])
    assert perceptron_loss(scores, torch.tensor([1, 2]), 0.0).item() == pytest.approx(((3 - 1) + (1 - 0)) / 2)


def test_label_smoothing_is_refused() -> None:
    with pytest.raises(UserError, match="task.label_smoothing=0"):
        perceptron_loss(torch.zeros(1, 3), torch.tensor([1]), 0.1)


def test_a_label_that_is_wrong_moves_its_own_weights_alone() -> None:
    """From zero weights nothing is predicted: the label that applies is wrong, and gains the input."""
    scores = torch.tensor([[0.0, -1.0, 2.0]], requires_grad=True)
    label_loss(scores, torch.tensor([[1, 0, 0]]), 0.0).backward()
    assert scores.grad.tolist() == [[-1.0, 0.0, 1.0]]
