"""What litmus uses of the transformers package: its encoders, their tokenizers, and its format of a classifier."""

import inspect
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from litmus.config.types import Section
from litmus.errors import UserError
from litmus.fetch import hub
from litmus.fetch.package import sha256_of
from litmus.model._blocks import with_fast_dropout
from litmus.model._preflight import BUNDLED, minilm
from litmus.spec import Classes, Labels, Spec, Target, Tokens, Values

if TYPE_CHECKING:
    from transformers import PreTrainedModel

log = logging.getLogger(__name__)

# all-MiniLM-L6-v2 of sentence-transformers (Wang et al. 2020): 6 layers, 384 units, 22.7 million parameters.
BUNDLED_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
ATTENTION = "litmus"  # see `_attention`
DROPOUTS = ("hidden_dropout_prob", "dropout")  # the names of dropout probabilities in the configurations of encoders
ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
Problem = Literal["single_label_classification", "multi_label_classification", "regression"]
PROBLEMS: dict[type[Target], Problem] = {  # as the package calls what a classifier predicts
    Classes: "single_label_classification",
    Labels: "multi_label_classification",
    Values: "regression",
}
UNKNOWN, FIRST, LAST = ("[UNK]", "<unk>"), ("[CLS]", "<s>"), ("[SEP]", "</s>")  # BERT's spelling, and RoBERTa's


def load_tokenizer(weights: str, max_length: int) -> Tokens:
    """The tokenizer that belongs to pretrained weights.

    Args:
        weights: `bundled`, a folder, or a name on the hub.
        max_length: texts are cut to so many tokens, special ones included.

    Raises:
        UserError: the weights are not available, their tokenizer cannot be used, or `max_length` is too small.
    """
    with hub.quiet(), _errors_explained(weights):
        from transformers import AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(_location(weights), **_loading_options(weights))
        if not getattr(tokenizer, "is_fast", False) or tokenizer.pad_token_id is None:
            raise UserError(
                f"model.weights={weights} has no tokenizer of the tokenizers library with a padding token, which "
                "model=bert needs."
            )
    if max_length <= (num_special := tokenizer.num_special_tokens_to_add()):
        raise UserError(
            f"model.max_length={max_length} leaves no room for words: each text gets {num_special} special tokens."
        )
    return Tokens(len(tokenizer), tokenizer.pad_token_id, max_length, tokenizer.backend_tokenizer.to_str())


def make_encoder(
    weights: str | None, config: Section | None, tokens: Tokens, dropout: float, pooled: bool
) -> "PreTrainedModel":
    """An encoder in training mode, in float32, with the fused kernels of attention.

    Args:
        weights: `bundled`, a folder, a name on the hub, or None for random weights.
        config: entries of an encoder's config.json, for random weights only.
        tokens: its vocabulary and the maximum length of a text.
        dropout: probability, of the embeddings and of each block's output.
        pooled: whether the encoder's own pooling layer is needed, where it has one.

    Raises:
        UserError: the weights are not available, they belong to another kind of network, or texts are longer than
            the encoder can take.
    """
    with hub.quiet(), _errors_explained(weights):
        from transformers import MODEL_MAPPING, AutoModel

        settings = _settings(weights, config, tokens)
        for name in DROPOUTS + ATTENTION_DROPOUTS:
            if hasattr(settings, name):
                setattr(settings, name, 0.0 if name in ATTENTION_DROPOUTS else dropout)
        built: Any = MODEL_MAPPING[type(settings)]  # a class; the mapping's type says otherwise
        parameters = inspect.signature(built).parameters
        _register_attention()
        options: Section = {"attn_implementation": ATTENTION, "dtype": torch.float32}
        options |= {"add_pooling_layer": pooled} if "add_pooling_layer" in parameters else {}
        if weights is None:
            encoder = AutoModel.from_config(settings, **options)
        else:
            options |= _loading_options(weights)
            encoder, report = AutoModel.from_pretrained(
                _location(weights), config=settings, output_loading_info=True, **options
            )
            _check_missing(weights, encoder, report["missing_keys"])
        _check_positions(encoder, tokens.max_length)
        with_fast_dropout(encoder)
        if pooled and settings.model_type == "bert":
            _answer_by_first_token(encoder)
        return encoder.train()


def _answer_by_first_token(encoder: "PreTrainedModel") -> None:
    """Has BERT's last layer compute the first token's state alone, the only one that the pooling layer reads.

    The others are read by that layer's attention as before; so the result is the same, and a seventh of the products of
    a step are left out with six layers. Its class is changed, not the layer: weights keep their names, and copies of it
    the change.
    """
    from transformers.models.bert.modeling_bert import BertLayer

    last = encoder.encoder.layer[-1]
    if type(last) is BertLayer:
        last.__class__ = type("FirstTokenLayer", (BertLayer,), {"forward": _first_token})


# The layer is the package's, and its parts are known by name alone: hence Any.
def _first_token(self: Any, hidden_states: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
    """The `forward` of such a layer: states (batch, length, size) to that of the first token, (batch, 1, size)."""
    own, first = self.attention.self, hidden_states[:, :1]
    query, key, value = (
        layer(states).unflatten(2, (own.num_attention_heads, -1)).transpose(1, 2)
        for layer, states in ((own.query, first), (own.key, hidden_states), (own.value, hidden_states))
    )
    mask = None if attention_mask is None else attention_mask[:, :, :1]
    found, _nothing = _attention(own, query, key, value, mask, dropout=0.0, scaling=own.scaling)
    answer: Tensor = self.feed_forward_chunk(self.attention.output(found.flatten(2), first))
    return answer


def _register_attention() -> None:
    """Gives transformers `_attention`, under the name `ATTENTION`, with masks as torch's fused attention takes them."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(ATTENTION, _attention)
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def _attention(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **options: Any
) -> tuple[Tensor, None]:
    """Torch's fused attention; on a CPU always in float32.

    Of bf16, its kernels there take 4 to 12 times as long for texts of 12 to 48 tokens, and 2 to 4 times for 96 and 128:
    torch 2.14, Xeon with AMX, 32 texts, 12 heads of 32, forward and backward. Their sums are of float32 anyway.

    Args:
        module: the layer.
        query: (batch, heads, length, size), as are key and value.
        key: see there.
        value: see there.
        attention_mask: true where a token may be looked at, (batch, 1, length, length), or None.
        options: of transformers' own function.

    Returns:
        (batch, length, heads, size), and nothing.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if query.device.type != "cpu" or query.dtype is not torch.bfloat16:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **options)
    with torch.autocast("cpu", enabled=False):
        each = (query.float(), key.float(), value.float())
        found, _ = sdpa_attention_forward(module, *each, attention_mask, **options)
        return found.to(query.dtype), None


# transformers' configurations have other attributes for each kind of encoder: hence Any.
def _settings(weights: str | None, config: Section | None, tokens: Tokens) -> Any:
    from transformers import MODEL_FOR_MASKED_LM_MAPPING, AutoConfig

    if weights is None:
        entries = {"model_type": "bert", **(config or {}), "vocab_size": tokens.vocabulary_size}
        settings = AutoConfig.for_model(**{**entries, "pad_token_id": tokens.padding})
    elif config is not None:
        raise UserError("model.config requires model.weights=null: pretrained weights have their own configuration.")
    else:
        settings = AutoConfig.from_pretrained(_location(weights), **_loading_options(weights))
    if type(settings) not in MODEL_FOR_MASKED_LM_MAPPING:
        raise UserError(f"model=bert supports encoders like BERT; {settings.model_type} is not one.")
    return settings


def _check_missing(weights: str, encoder: nn.Module, missing: set[str]) -> None:
    """Weights that a folder lacks are initialized at random: a few are worth a warning, many are a mistake."""
    if not missing:
        return
    names = ", ".join(sorted(missing)[:5]) + (", ..." if len(missing) > 5 else "")
    if len(missing) > len(encoder.state_dict()) // 2:
        raise UserError(f"model.weights={weights} lacks {len(missing)} of the encoder's weights: {names}.")
    log.warning("model.weights=%s lacks %s, which are initialized at random.", weights, names)


def _check_positions(encoder: "PreTrainedModel", max_length: int) -> None:
    embeddings = getattr(encoder, "embeddings", None)
    padding: int | None = getattr(getattr(embeddings, "position_embeddings", None), "padding_idx", None)
    longest: int = getattr(encoder.config, "max_position_embeddings", max_length)
    if padding is not None:  # RoBERTa's positions begin after the padding's
        longest -= padding + 1
    if max_length > longest:
        raise UserError(f"model.max_length={max_length} is too long: this encoder has {longest} positions.")


def _location(weights: str) -> str:
    """A folder, or a name on the hub."""
    folder = Path(weights).expanduser()
    if weights != BUNDLED:
        return str(folder) if folder.is_dir() else weights
    path = minilm()
    if (found := sha256_of(path)) != BUNDLED_SHA256:
        raise UserError(f"{path} is not the published file: its sha256 is {found}.")
    return str(path.parent)


def _loading_options(weights: str) -> dict[str, bool]:
    """Never runs code from a repository; does not ask a hub that is unreachable again and again."""
    local = weights == BUNDLED or Path(weights).expanduser().is_dir() or not hub.reachable()
    return {"trust_remote_code": False, "local_files_only": local}


@contextmanager
def _errors_explained(weights: str | None) -> Iterator[None]:
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # the package raises errors of many libraries for what it cannot download or read
        log.info("model.weights=%s: %s", weights, error, exc_info=True)
        first = str(error).strip().split("\n")[0]
        if weights is None:
            raise UserError(f"transformers cannot make an encoder from model.config: {first}") from None
        if Path(weights).expanduser().is_dir():
            raise UserError(f"transformers cannot load an encoder from model.weights={weights}: {first}") from None
        raise UserError(
            f"model.weights={weights} is neither a local folder nor available from the Hugging Face Hub. Use "
            "model.weights=bundled, or download it elsewhere and set model.weights to its folder."
        ) from None


def save_classifier(
    encoder: "PreTrainedModel", weight: Tensor, bias: Tensor, spec: Spec, path: Path
) -> Callable[[Tensor], Tensor]:
    """Writes a folder for `AutoModelForSequenceClassification` and `AutoTokenizer`.

    Predictions of values are written in the data's own unit.

    Args:
        encoder: in evaluation mode.
        weight: of the head, float32 (outputs, hidden size).
        bias: of the head, float32 (outputs,).
        spec: what the network was trained on.
        path: of the folder, which must not exist.

    Returns:
        The network that was read back, in the units of `spec`: int64 tokens (batch, length) -> (batch, outputs).

    Raises:
        UserError: transformers has no classifier for this encoder with one linear layer.
    """
    from transformers import PreTrainedTokenizerFast

    assert isinstance(spec.input, Tokens)
    mean, std = torch.zeros(len(bias)), torch.ones(len(bias))
    if isinstance(spec.target, Values):
        mean, std = torch.tensor(spec.target.mean), torch.tensor(spec.target.std)
    model = _make_classifier(encoder, spec)
    model.classifier.load_state_dict({"weight": weight * std[:, None], "bias": bias * std + mean})
    path.mkdir()
    with hub.quiet():
        model.save_pretrained(path)
        PreTrainedTokenizerFast(**_tokenizer_settings(spec.input)).save_pretrained(path)
        read = type(model).from_pretrained(path).eval()
    for file in path.iterdir():
        # As the folder's: safetensors writes files that only the owner reads. A mounted file system may have no modes.
        with suppress(OSError):
            file.chmod(path.stat().st_mode & 0o666)
    padding = spec.input.padding

    def predict(tokens: Tensor) -> Tensor:
        return (read(input_ids=tokens, attention_mask=(tokens != padding).long()).logits - mean) / std

    return predict


# The class depends on the encoder, and has attributes of its own: hence Any.
def _make_classifier(encoder: "PreTrainedModel", spec: Spec) -> Any:
    """The package's classifier for an encoder, with the encoder's weights; those of the head are still to be set."""
    from transformers import AutoModelForSequenceClassification

    config = type(encoder.config).from_dict(encoder.config.to_dict())
    names = spec.target.names
    config.id2label, config.label2id = dict(enumerate(names)), {name: i for i, name in enumerate(names)}
    config.problem_type = PROBLEMS[type(spec.target)]
    model = AutoModelForSequenceClassification.from_config(config).eval()
    inner, head = getattr(model, model.base_model_prefix, None), getattr(model, "classifier", None)
    fits = isinstance(head, nn.Linear) and getattr(inner, "pooler", None) is not None
    if inner is None or not fits or type(inner) is not type(encoder):
        raise UserError(
            f"--to huggingface does not support this encoder: the head of {type(model).__name__} differs from that of "
            "model=bert. Use --to onnx or --to torch."
        )
    inner.load_state_dict(encoder.state_dict())
    return model


def _tokenizer_settings(tokens: Tokens) -> Section:
    from tokenizers import Tokenizer

    made = Tokenizer.from_str(tokens.tokenizer)
    settings: Section = {"tokenizer_object": made, "model_max_length": tokens.max_length}
    settings["pad_token"] = made.id_to_token(tokens.padding)
    for key, spellings in (("unk_token", UNKNOWN), ("cls_token", FIRST), ("sep_token", LAST)):
        known = [spelling for spelling in spellings if made.token_to_id(spelling) is not None]
        settings |= {key: known[0]} if known else {}
    return settings
