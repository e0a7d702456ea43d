"""The LSTM (Hochreiter and Schmidhuber 1997), stacked: for texts, time series, and images read row by row."""

import functools
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from litmus.config.types import Count, NonNegative, Probability, Section, Widths
from litmus.config.validate import checked
from litmus.model import _vocabulary
from litmus.model._base import Net, Predict
from litmus.model._blocks import Dropout
from litmus.model._known_ahead import KnownAhead
from litmus.model._relative import Relative
from litmus.spec import Images, Series, Spec, Tokens, Values


class LSTM(Net):
    """LSTM layers of the given widths, their states pooled over time, and a linear head.

    Texts pass through an embedding that is trained from scratch, with a vocabulary built from the training
    texts. A time series is forecast relative to its window (`model/_relative.py`), an image is the series of its
    rows. A bidirectional layer of width w gives 2w features: a second LSTM runs from the end to the beginning
    (Schuster and Paliwal 1997). Padding changes no result: backward layers skip it, and pooling ignores it. Dropout
    acts on the embedding, between layers and before the head.
    """

    input_kinds: ClassVar = (Tokens, Series, Images)

    @checked
    def __init__(
        self,
        spec: Spec,
        *,
        widths: Widths,
        bidirectional: bool,
        pooling: Literal["last", "mean", "max"],
        embedding_size: Count,
        vocabulary_size: Count,
        min_count: Count,
        max_length: Count,
        dropout: Probability,
        batchnorm: bool,
        l2: NonNegative,
    ) -> None:
        super().__init__(spec, l2)
        self.pooling = pooling
        self.embedding: nn.Module = nn.Identity()
        self.relative: Relative | None = None
        self.ahead: KnownAhead | None = None
        if isinstance(spec.input, Tokens):
            self.embedding = nn.Embedding(spec.input.vocabulary_size, embedding_size, padding_idx=spec.input.padding)
            num_inputs = embedding_size
        elif isinstance(spec.input, Series):
            num_inputs = spec.input.features
            self.relative = Relative(spec) if isinstance(spec.target, Values) else None
        else:
            assert isinstance(spec.input, Images)
            num_inputs = spec.input.channels * spec.input.width
        self.forwards, self.backwards = nn.ModuleList(), nn.ModuleList()
        for width in widths:
            self.forwards.append(nn.LSTM(num_inputs, width, batch_first=True))
            if bidirectional:
                self.backwards.append(nn.LSTM(num_inputs, width, batch_first=True))
            num_inputs = width * (2 if bidirectional else 1)
        self.drop = Dropout(dropout) if dropout else nn.Identity()
        self.norm = nn.BatchNorm1d(num_inputs) if batchnorm else nn.Identity()
        self.head = nn.Linear(num_inputs, self.num_outputs)
        self._initialize()
        if isinstance(spec.input, Series) and spec.input.known and spec.input.known_per_step:
            self.ahead = KnownAhead(spec.input, num_inputs, self.num_outputs)
        if self.relative is not None:
            # The first forecast is what it is relative to, such as the last value: a network that finds nothing stays
            # there, where random weights would have to be unlearned first.
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    @classmethod
    def token_spec(cls, settings: Section, texts: Sequence[str]) -> Tokens:
        keys = ("vocabulary_size", "min_count", "max_length")
        return _vocabulary.words(texts, **{key: settings[key] for key in keys})

    def forward(self, x: Tensor) -> Tensor:
        """A batch -> (batch, classes or labels) logits, or (batch, values) normalized values; both unbounded float32.

        Tokens are int64 (batch, length); series (batch, length, features) and images (batch, channels,
        height, width) float.
        """
        window = x
        x, lengths = self._sequences(x if self.ahead is None else self.ahead.aligned(x))
        for number, forwards in enumerate(self.forwards):
            x = self.drop(x) if number or lengths is not None else x
            states = _states(forwards, x)
            if self.backwards:
                # The backward LSTM begins at each sequence's own end, so that padding comes last.
                reversed_states = _states(self.backwards[number], _reversed(x, lengths))
                states = torch.cat([states, _reversed(reversed_states, lengths)], dim=2)
            x = states
        features = self.drop(self.norm(self._pooled(x, lengths)))
        outputs = self.head(features)
        if self.ahead is not None:
            outputs = outputs + self.ahead(features, window)
        return outputs if self.relative is None else self.relative.forecast(outputs, window)

    @property
    def untrained(self) -> Predict | None:
        return None if self.relative is None else self._untrained

    def _untrained(self, window: Tensor) -> Tensor:
        assert self.relative is not None
        return self.relative.forecast(window.new_zeros(len(window), self.num_outputs), window)

    def _sequences(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """The batch as (batch, length, features), and int64 lengths without padding; None where there is no padding."""
        if isinstance(self.spec.input, Tokens):
            lengths = (x != self.spec.input.padding).sum(dim=1).clamp(min=1)
            return self.embedding(x), lengths
        if isinstance(self.spec.input, Images):
            return x.permute(0, 2, 1, 3).flatten(2), None
        return x if self.relative is None else self.relative.inputs(x), None

    def _pooled(self, states: Tensor, lengths: Tensor | None) -> Tensor:
        """(batch, length, features) -> (batch, features)."""
        if self.pooling == "last":
            return self._last(states, lengths)
        if lengths is None:
            return states.mean(dim=1) if self.pooling == "mean" else states.amax(dim=1)
        padded = (torch.arange(states.shape[1], device=states.device) >= lengths[:, None]).unsqueeze(2)
        if self.pooling == "mean":
            return states.masked_fill(padded, 0.0).sum(dim=1) / lengths[:, None]
        return states.masked_fill(padded, float("-inf")).amax(dim=1)

    def _last(self, states: Tensor, lengths: Tensor | None) -> Tensor:
        """The final state of each direction: forward at the end, backward at the beginning."""
        width = states.shape[2] // (2 if self.backwards else 1)
        if lengths is None:
            end = states[:, -1, :width]
        else:
            place = (lengths - 1)[:, None, None].expand(-1, 1, width)
            end = states[:, :, :width].gather(1, place).squeeze(1)
        return torch.cat([end, states[:, 0, width:]], dim=1) if self.backwards else end

    def _initialize(self) -> None:
        """Orthogonal recurrent weights (Saxe et al. 2014), forget gates initially open (Jozefowicz et al. 2015)."""
        for layer in (*self.forwards, *self.backwards):
            width = layer.hidden_size
            for gate in range(4):
                nn.init.orthogonal_(layer.weight_hh_l0[gate * width : (gate + 1) * width])
            nn.init.xavier_uniform_(layer.weight_ih_l0)
            nn.init.zeros_(layer.bias_hh_l0)
            nn.init.zeros_(layer.bias_ih_l0)
            nn.init.ones_(layer.bias_ih_l0[width : 2 * width])  # torch's order: input, forget, cell, output


def _states(layer: nn.Module, x: Tensor) -> Tensor:
    """(batch, length, features) -> (batch, length, width), the hidden state after each step."""
    if not torch.compiler.is_exporting():
        if x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and not _has_bf16_kernel():
            with torch.autocast("cpu", enabled=False):
                return layer(x.float())[0]
        return layer(x)[0]
    # torch.export unrolls nn.LSTM at the length of its example, whereas a scan takes any length. It has no public name.
    from torch._higher_order_ops.scan import scan

    assert isinstance(layer, nn.LSTM)
    weight_ih, weight_hh, bias_ih, bias_hh = layer.all_weights[0]
    gates = x @ weight_ih.T + bias_ih + bias_hh
    zeros = torch.zeros_like(gates[:, 0, : layer.hidden_size])

    def step(carried: list[Tensor], gate: Tensor) -> tuple[list[Tensor], Tensor]:
        hidden, cell = carried
        i, f, g, o = (gate + hidden @ weight_hh.T).chunk(4, dim=1)
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        hidden = o.sigmoid() * cell.tanh()
        return [hidden, cell], hidden.clone()

    _, states = scan(step, [zeros, zeros.clone()], gates.transpose(0, 1).contiguous(), dim=0)
    return states.transpose(0, 1)


def _reversed(x: Tensor, lengths: Tensor | None) -> Tensor:
    """(batch, length, features) with the first `lengths` entries of each row reversed; its own inverse."""
    if lengths is None:
        return x.flip(1)
    columns = torch.arange(x.shape[1], device=x.device)
    places = torch.where(columns < lengths[:, None], lengths[:, None] - 1 - columns, columns)
    return x.gather(1, places.unsqueeze(2).expand_as(x))


@functools.cache
def _has_bf16_kernel() -> bool:
    """Whether the CPU has torch's LSTM in bf16: those without AVX-512 compute a layer in float32 instead."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
