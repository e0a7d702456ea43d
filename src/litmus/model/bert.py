"""BERT (Devlin et al. 2019) and encoders like it, out of the transformers library, fine-tuned."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from torch import Tensor, nn

from litmus.config.types import Count, NonNegative, Positive, Probability, Section, Whole
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.model import _transformers, _vocabulary
from litmus.model._base import Net, Predict, by_depth
from litmus.model._blocks import Dropout
from litmus.spec import Spec, Tokens

BERT_VOCABULARY = 30522  # tokens, of Devlin et al.


class BERT(Net):
    """An encoder, its token states pooled to one vector, and a linear head.

    `weights` is `bundled` (MiniLM, from a Python package), a name on the Hugging Face Hub, a folder with an
    encoder as transformers saves it, or null for random weights: their vocabulary is built from the training
    texts, and `config` (entries of an encoder's config.json) gives their size. Pooling takes the first token's
    state after the encoder's own dense layer (`cls`; the state itself, if the encoder has no such layer), or
    the mean of all tokens' states. `freeze=n` freezes the embeddings and the first n layers; 0 freezes nothing.
    The learning rate of each layer is `lr_decay` times that of the layer above it; the last layer's is the
    head's (Howard and Ruder 2018).

    Dropout acts on the embeddings, on every block's output and before the head. Unlike the encoder's own, it
    does not act on attention weights, which would rule out the fused attention kernels.
    """

    input_kinds: ClassVar = (Tokens,)
    gains_from_bf16: ClassVar = True

    @checked
    def __init__(
        self,
        spec: Spec,
        *,
        weights: str | None,
        config: Section | None,
        pooling: Literal["cls", "mean"],
        freeze: Whole,
        lr_decay: Positive,
        max_length: Count,
        dropout: Probability,
        batchnorm: bool,
        l2: NonNegative,
    ) -> None:
        super().__init__(spec, l2)
        assert isinstance(spec.input, Tokens)
        self.pooling = pooling
        self.lr_decay = lr_decay
        self.encoder = _transformers.make_encoder(weights, config, spec.input, dropout, pooled=pooling == "cls")
        size = self.encoder.config.hidden_size
        self.norm = nn.BatchNorm1d(size) if batchnorm else nn.Identity()
        self.drop = Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(size, self.num_outputs)
        nn.init.normal_(self.head.weight, std=0.02)  # as BERT's own head
        nn.init.zeros_(self.head.bias)
        self._freeze(freeze)

    @classmethod
    def token_spec(cls, settings: Section, texts: Sequence[str]) -> Tokens:
        weights, max_length = settings["weights"], settings["max_length"]
        if weights is not None:
            return _transformers.load_tokenizer(weights, max_length)
        size = (settings["config"] or {}).get("vocab_size", BERT_VOCABULARY)
        return _vocabulary.pieces(texts, vocabulary_size=size, max_length=max_length)

    def rebuild_settings(self) -> Section:
        config = self.encoder.config.to_dict()
        plain = (str, int, float, bool, list, dict, type(None))
        return {"weights": None, "config": {k: v for k, v in config.items() if isinstance(v, plain)}}

    def forward(self, x: Tensor) -> Tensor:
        """Tokens, int64 (batch, length), to (batch, classes) logits or (batch, values) scaled values, unbounded."""
        assert isinstance(self.spec.input, Tokens)
        mask = x != self.spec.input.padding
        encoded = self.encoder(input_ids=x, attention_mask=self._attention_mask(mask))
        if self.pooling == "mean":
            inside = mask.unsqueeze(2).to(encoded.last_hidden_state.dtype)
            pooled = (encoded.last_hidden_state * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)
        else:
            own = encoded.get("pooler_output")  # encoders such as DistilBERT have no pooling layer
            pooled = encoded.last_hidden_state[:, 0] if own is None else own
        return self.head(self.drop(self.norm(pooled)))

    def _attention_mask(self, mask: Tensor) -> Tensor:
        """What the encoder reads of a mask, bool (batch, length), true where there is a token.

        Of one with two dimensions the package asks whether it is true everywhere: a GPU would be waited for.
        """
        if mask.device.type == "cpu" or self.encoder.config.model_type != "bert":  # others may not take the second
            return mask.long()
        return mask[:, None, None].expand(-1, 1, mask.shape[1], -1)

    def parameter_groups(self) -> list[Section]:
        """As every network's, split by the learning rates of the layers; the head's groups come last."""
        layers = self._layers()
        depth = {id(p): len(layers) for p in self.encoder.parameters()}
        for number, layer in enumerate(layers):
            depth |= {id(p): len(layers) - 1 - number for p in layer.parameters()}
        pooler = getattr(self.encoder, "pooler", None)
        depth |= {id(p): 0 for p in pooler.parameters()} if pooler is not None else {}
        return by_depth(super().parameter_groups(), depth, self.lr_decay)

    def _layers(self) -> nn.ModuleList:
        count = self.encoder.config.num_hidden_layers
        stacks = [m for m in self.encoder.modules() if isinstance(m, nn.ModuleList) and len(m) == count]
        if not stacks:
            raise UserError(f"model=bert does not support {type(self.encoder).__name__}: it has no list of its layers.")
        return stacks[0]

    def _freeze(self, num_layers: int) -> None:
        layers = self._layers()
        if num_layers > len(layers):
            raise UserError(f"model.freeze={num_layers}, but the encoder has {len(layers)} layers.")
        frozen = [self.encoder.get_input_embeddings(), *layers[:num_layers]] if num_layers else []
        if num_layers and hasattr(self.encoder, "embeddings"):
            frozen.append(self.encoder.embeddings)
        for module in frozen:
            module.requires_grad_(False)

    def save_huggingface(self, path: Path) -> Predict:
        """Saves the network as one of transformers' classifiers.

        Raises:
            UserError: the classifiers of transformers have no such pooling.
        """
        if self.pooling != "cls":
            raise UserError(
                f"--to huggingface does not support model.pooling={self.pooling}: the classifiers of transformers use "
                "the first token. Train with model.pooling=cls, or use --to onnx or --to torch."
            )
        return _transformers.save_classifier(self.encoder, *self._folded_head(), self.spec, path)

    def _folded_head(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of a head without batch norm before it that gives the same outputs in evaluation."""
        weight, bias = self.head.weight.detach(), self.head.bias.detach()
        if not isinstance(self.norm, nn.BatchNorm1d):
            return weight, bias
        norm = self.norm
        assert norm.running_mean is not None
        assert norm.running_var is not None
        scale = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
        return weight * scale, bias + weight @ (norm.bias.detach() - norm.running_mean * scale)
