"""A network in the formats of other programs; each is read back and compared before it counts as written."""

import json
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from litmus.errors import UserError
from litmus.fetch import hub
from litmus.spec import Boxes, Classes, Images, Tokens, Values

TOLERANCE = 1e-5  # of an answer, relative to the largest; float32 in another order gives about 1e-6
INPUTS = {"Images": "images", "Tokens": "tokens", "Series": "series"}


def write(net: Any, form: str, path: Path) -> float:
    """Writes the network, whole or not at all.

    Args:
        net: with its weights, in evaluation mode.
        form: a key of `WRITERS`.
        path: must not exist.

    Returns:
        The largest difference between the answers of what was written and the network's.

    Raises:
        UserError: the network cannot be written so, or what was written answers otherwise than the network.
        OSError: there is no writing there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        temporary = Path(folder, path.name)  # the same ending: torch asks for it
        difference = WRITERS[form](net, temporary)
        temporary.rename(path)
    return difference


def to_torch(net: Any, path: Path) -> float:
    """Writes what `torch.export.load(path).module()` reads; any batch size, any length of text."""
    with _plain(net):
        torch.export.save(torch.export.export(net, (_probe(net, 3),), dynamic_shapes=(_dynamic(net),)), path)
        return _compared(net, torch.export.load(path).module())


def to_onnx(net: Any, path: Path) -> float:
    """Writes an ONNX file with one input and the output `outputs`; any batch size, any length of text.

    Its metadata hold under `litmus` what the input is and what the answers mean: the spec, as JSON.
    """
    onnx, runtime = _needed("onnx"), _needed("onnxruntime")
    _needed("onnxscript")
    name = INPUTS[type(net.spec.input).__name__]
    with _plain(net):
        program = torch.onnx.export(
            net,
            (_probe(net, 3),),
            dynamo=True,
            dynamic_shapes=(_dynamic(net),),
            input_names=[name],
            output_names=["outputs"],
            verbose=False,
        )
        assert program is not None
        model = program.model_proto
        onnx.helper.set_model_props(model, {"litmus": json.dumps(net.spec.to_plain())})
        path.write_bytes(model.SerializeToString())
        session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return _compared(net, lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0]))


def to_huggingface(net: Any, path: Path) -> float:
    """Writes a folder for `AutoModelForSequenceClassification` and `AutoTokenizer`.

    Batch norm before the head becomes part of the head's weights. A regression's numbers come out in
    the data's own unit.
    """
    encoder = getattr(net, "encoder", None)
    if encoder is None or not isinstance(net.spec.input, Tokens):
        raise UserError("--to huggingface is for model=bert; --to onnx and --to torch take every network.")
    if net.pooling != "cls":
        raise UserError(
            f"--to huggingface cannot write model.pooling={net.pooling}: transformers' classifiers read the first "
            "token. Train with model.pooling=cls, or use --to onnx or --to torch."
        )
    target = net.spec.target
    one, zero = torch.ones(len(target.names)), torch.zeros(len(target.names))
    std, mean = (torch.tensor(target.std), torch.tensor(target.mean)) if isinstance(target, Values) else (one, zero)
    model = _classifier(encoder, target)
    weight, bias = _folded(net)
    model.classifier.load_state_dict({"weight": weight * std[:, None], "bias": bias * std + mean})

    from transformers import PreTrainedTokenizerFast

    path.mkdir()
    with hub.quiet():
        model.save_pretrained(path)
        _tokenizer(net.spec.input, PreTrainedTokenizerFast).save_pretrained(path)
        read = type(model).from_pretrained(path).eval()
    for file in path.iterdir():
        file.chmod(path.stat().st_mode & 0o666)  # as the folder: safetensors makes private files
    padding = net.spec.input.padding

    def answer(tokens: Tensor) -> Tensor:
        return (read(input_ids=tokens, attention_mask=(tokens != padding).long()).logits - mean) / std

    return _compared(net, answer)


def to_ultralytics(net: Any, path: Path) -> float:
    """Writes a .pt that the `yolo` command reads."""
    if not isinstance(net.spec.target, Boxes):
        raise UserError("--to ultralytics is for model=yolo; --to onnx and --to torch take every network.")
    read = net.to_ultralytics(path)
    return _compared(net, lambda x: read(x)[0])


def _classifier(encoder: Any, target: Any) -> Any:
    """Transformers' own classifier for that encoder, with its weights; the head's are still to be set."""
    from transformers import AutoModelForSequenceClassification

    config = type(encoder.config).from_dict(encoder.config.to_dict())
    names = target.names
    config.id2label, config.label2id = dict(enumerate(names)), {name: i for i, name in enumerate(names)}
    config.problem_type = "single_label_classification" if isinstance(target, Classes) else "regression"
    model: Any = AutoModelForSequenceClassification.from_config(config).eval()
    inner, head = getattr(model, model.base_model_prefix, None), getattr(model, "classifier", None)
    fits = isinstance(head, nn.Linear) and getattr(inner, "pooler", None) is not None
    if inner is None or not fits or type(inner) is not type(encoder):
        raise UserError(f"{type(model).__name__} has another classifier than model=bert: use --to onnx or --to torch.")
    inner.load_state_dict(encoder.state_dict())
    return model


WRITERS: dict[str, Callable[[Any, Path], float]] = {
    "onnx": to_onnx,
    "torch": to_torch,
    "huggingface": to_huggingface,
    "ultralytics": to_ultralytics,
}


def _folded(net: Any) -> tuple[Tensor, Tensor]:
    """The head's weight and bias, with the batch norm before it in them."""
    weight, bias = net.head.weight.detach(), net.head.bias.detach()
    if not isinstance(net.norm, nn.BatchNorm1d):
        return weight, bias
    norm: Any = net.norm
    scale = norm.weight.detach() / (norm.running_var + norm.eps).sqrt()
    return weight * scale, bias + weight @ (norm.bias.detach() - norm.running_mean * scale)


def _tokenizer(tokens: Tokens, kind: Any) -> Any:
    from tokenizers import Tokenizer

    made = Tokenizer.from_str(tokens.tokenizer)
    special = {"pad_token": made.id_to_token(tokens.padding)}
    spelled = {"unk_token": ("[UNK]", "<unk>"), "cls_token": ("[CLS]", "<s>"), "sep_token": ("[SEP]", "</s>")}
    for key, spellings in spelled.items():
        found = next((spelling for spelling in spellings if made.token_to_id(spelling) is not None), None)
        special |= {key: found} if found else {}
    return kind(tokenizer_object=made, model_max_length=tokens.max_length, **special)


def _probe(net: Any, size: int) -> Tensor:
    """Inputs that look like the data: random pixels or numbers, or random tokens in rows of different lengths."""
    generator = torch.Generator().manual_seed(size)
    example = net.example(size)
    read = net.spec.input
    if isinstance(read, Images):
        mean, std = (torch.tensor(fact).reshape(1, -1, 1, 1) for fact in (read.mean, read.std))
        return (torch.rand(example.shape, generator=generator) - mean) / std
    if not isinstance(read, Tokens):
        return torch.randn(example.shape, generator=generator)
    longest = min(read.max_length, 5 + 2 * size)
    tokens = torch.randint(0, read.vocabulary_size, (size, longest), generator=generator)
    tokens[tokens == read.padding] = (read.padding + 1) % read.vocabulary_size
    for row in range(1, size):
        tokens[row, longest - row :] = read.padding
    return tokens


def _dynamic(net: Any) -> dict[int, Any]:
    free = {0: torch.export.Dim.DYNAMIC}
    return {**free, 1: torch.export.Dim.DYNAMIC} if isinstance(net.spec.input, Tokens) else free


def _compared(net: Any, other: Callable[[Tensor], Tensor]) -> float:
    """The largest difference on inputs of other sizes than the example's.

    Raises:
        UserError: it is more than rounding.
    """
    largest = 0.0
    with torch.inference_mode():
        for size in (1, 4):
            probe = _probe(net, size)
            expected = net(probe)
            for difference, scale in net.max_differences(expected, other(probe)):
                if not difference <= TOLERANCE * max(1.0, scale):
                    raise UserError(f"What was written answers otherwise, by {difference:.1e}: it is not kept.")
                largest = max(largest, difference)
    return largest


def _needed(package: str) -> Any:
    try:
        return __import__(package)
    except ModuleNotFoundError:
        raise UserError(f"--to onnx needs the package {package}: pip install 'litmus[export]'.") from None


@contextmanager
def _plain(net: Any) -> Iterator[None]:
    """Without gradients, and without the exporter's advice."""
    exporter = logging.getLogger("torch.onnx")
    before = exporter.level
    exporter.setLevel(logging.ERROR)
    net.requires_grad_(False)
    if isinstance(net.spec.input, Images):
        net.to(memory_format=torch.contiguous_format)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            exporter.setLevel(before)
