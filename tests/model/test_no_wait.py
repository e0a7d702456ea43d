"""Networks on torch's device without memory, where whatever depends on a value is an error.

So it is where a GPU would be waited for, to tell the value: see tests/run/test_no_wait.py.
"""

import pytest
import torch
from helpers import inputs_for
from model.test_contract import READING, detects, flat, loss_of, make, spec_for

META = torch.device("meta")


@pytest.mark.wide
@pytest.mark.parametrize(("name", "read"), READING)
@pytest.mark.parametrize("changes", [{}, {"dropout": 0.1, "batchnorm": True}])
def test_a_step_depends_on_no_value(name: str, read: type, changes: dict[str, object]) -> None:
    spec = spec_for(name, read)
    net = make(name, spec, **changes).to(META).train()
    outputs = net(inputs_for(spec).to(META))
    if detects(name):
        flat(outputs).sum().backward()  # the package's loss counts boxes: it has to wait
        return
    with torch.device(META):
        loss = loss_of(net, outputs, 8)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    assert all(p.grad is not None and p.grad.device == META for p in net.parameters() if p.requires_grad)


def test_a_mask_of_four_dimensions_masks_the_same() -> None:
    name, read = next(each for each in READING if each[0] == "bert")
    net = make(name, spec_for(name, read)).eval()
    tokens = inputs_for(spec_for(name, read))
    inside = tokens != 0
    assert not inside.all()
    assert net._attention_mask(inside).shape == inside.shape
    wide = net._attention_mask(inside.to(META))
    assert wide.shape == (8, 1, 14, 14)
    assert wide.dtype == torch.bool
    here = inside[:, None, None].expand(-1, 1, 14, -1)
    with torch.no_grad():
        plain, other = (net.encoder(input_ids=tokens, attention_mask=mask) for mask in (inside.long(), here))
    assert torch.allclose(plain.last_hidden_state, other.last_hidden_state, atol=1e-6)
