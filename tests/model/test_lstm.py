import pytest
import torch
from helpers import DIGITS, TEXTS, WINDOWS, composed, inputs_for

from litmus.config.instantiate import build
from litmus.model._vocabulary import words
from litmus.spec import Spec


def make(spec: Spec, **changes: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return build({**composed("model=lstm")["model"], **changes}, spec).eval()


VARIANTS = [(pooling, both) for pooling in ("last", "mean", "max") for both in (False, True)]


@pytest.mark.parametrize(("pooling", "bidirectional"), VARIANTS)
def test_padding_changes_no_result(pooling: str, bidirectional: bool) -> None:
    net = make(TEXTS, pooling=pooling, bidirectional=bidirectional)
    tokens = inputs_for(TEXTS)
    with torch.no_grad():
        together = net(tokens)
        for row, alone in zip(tokens, together, strict=True):
            length = int((row != 0).sum())
            assert torch.allclose(net(row[None, :length])[0], alone, atol=1e-6)
            assert torch.allclose(net(torch.cat([row, torch.zeros(9, dtype=torch.int64)])[None])[0], alone, atol=1e-6)


@pytest.mark.parametrize(("pooling", "bidirectional"), VARIANTS)
def test_it_is_what_torch_s_packed_sequences_give(pooling: str, bidirectional: bool) -> None:
    net = make(TEXTS, pooling=pooling, bidirectional=bidirectional, widths=[6])
    tokens = inputs_for(TEXTS)
    lengths = (tokens != 0).sum(dim=1)
    reference = torch.nn.LSTM(64, 6, batch_first=True, bidirectional=bidirectional)
    own = dict(net.forwards[0].named_parameters())
    own |= {f"{n}_reverse": p for n, p in net.backwards[0].named_parameters()} if bidirectional else {}
    reference.load_state_dict(own)
    packed = torch.nn.utils.rnn.pack_padded_sequence(
        net.embedding(tokens), lengths, batch_first=True, enforce_sorted=False
    )
    states, (last, _) = reference(packed)
    states, _ = torch.nn.utils.rnn.pad_packed_sequence(states, batch_first=True)
    inside = (torch.arange(states.shape[1]) < lengths[:, None]).unsqueeze(2)
    pooled = {
        "last": last.transpose(0, 1).flatten(1),
        "mean": (states * inside).sum(dim=1) / lengths[:, None],
        "max": states.masked_fill(~inside, -torch.inf).amax(dim=1),
    }[pooling]
    assert torch.allclose(net(tokens), net.head(pooled), atol=1e-6)


def test_the_default_has_the_parameters_one_counts() -> None:
    # An LSTM of width w over n inputs: four gates of w (n + w) weights and two biases of w.
    def lstm(n: int, w: int) -> int:
        return 4 * (w * (n + w) + 2 * w)

    count = lambda net: sum(p.numel() for p in net.parameters())  # noqa: E731
    assert count(make(DIGITS)) == lstm(28, 64) + lstm(64, 32) + 32 * 10 + 10
    assert count(make(TEXTS)) == 300 * 64 + lstm(64, 64) + lstm(64, 32) + 32 * 10 + 10
    assert count(make(WINDOWS, bidirectional=True)) == 2 * lstm(1, 64) + 2 * lstm(128, 32) + 64 + 1


def test_an_image_is_read_row_by_row() -> None:
    net = make(DIGITS)
    images = inputs_for(DIGITS)
    with torch.no_grad():
        states, _ = net.forwards[0](images.squeeze(1))
        states, _ = net.forwards[1](states)
        assert torch.allclose(net(images), net.head(states[:, -1]), atol=1e-6)


def test_the_forget_gate_begins_open() -> None:
    layer = make(DIGITS).forwards[0]
    bias = layer.bias_ih_l0 + layer.bias_hh_l0
    assert bias.tolist() == [0.0] * 64 + [1.0] * 64 + [0.0] * 128


def test_a_vocabulary_is_made_of_what_it_is_given_and_of_nothing_else() -> None:
    from tokenizers import Tokenizer

    tokens = words(["Good good movie !!", "bad movie"], vocabulary_size=100, min_count=2, max_length=9)
    tokenizer = Tokenizer.from_str(tokens.tokenizer)
    assert tokenizer.get_vocab() == {"[PAD]": 0, "[UNK]": 1, "good": 2, "movie": 3}
    assert tokenizer.encode("GOOD unseen movie").ids == [2, 1, 3]
    assert tokens.vocabulary_size == 4
