"""A network in the formats of other programs; each file is read back and compared before it is kept.

No torch at the top: `litmus export --help` lists the formats of `FORMATS`, and answers at once.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from litmus.config.protocols import Net
from litmus.errors import UserError
from litmus.spec import Columns, Images, Series, Spec, Tokens

if TYPE_CHECKING:
    from torch import Tensor

    from litmus.inference.export.whole import Bare, Whole

    Exported = Whole | Bare

Run = Callable[..., Sequence["Tensor"]]  # from a network's inputs to its outputs
NUM_TRACED = 3  # samples with which torch traces a network
EXAMPLE = "example.py"
# OpenVINO has float32 where others have float64, so that a pixel whose value lies between two levels becomes the other.
ROUNDING_OF_PIXELS = 1e-3


class Format(NamedTuple):
    """A format.

    Attributes:
        file_name: what is written in a run's folder `export`.
        write: writes a network to a path that does not exist, and gives what runs it, read back from there.
        whole: whether preprocessing and postprocessing are inside, unless the bare network is asked for.
        tolerance: of differences between its outputs and the network's, relative to the largest; that of `Bare` or
            `Whole` holds if it is larger.
    """

    file_name: str
    write: "Callable[[Exported, Path], Run]"
    whole: bool = True
    tolerance: float = 0.0


def write(net: Net, form: str, path: Path, *, raw: bool = False) -> float:
    """Writes a network completely, or not at all; for ONNX, a program that uses it beside it, unless there is one.

    Args:
        net: with its weights, in evaluation mode; parameters no longer require gradients afterwards.
        form: a key of `FORMATS`.
        path: of the file or folder, which must not exist.
        raw: without preprocessing and postprocessing.

    Returns:
        The largest difference between the outputs of the exported network and of `net`.

    Raises:
        UserError: the network cannot be exported to this format, or the outputs differ by more than rounding.
        OSError: the path cannot be written.
    """
    if raw and not FORMATS[form].whole:
        others = ", ".join(sorted(name for name, each in FORMATS.items() if each.whole))
        raise UserError(f"--raw changes nothing with --to {form}. It supports {others}.")
    made = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _write(net, form, path, raw)
    except (UserError, OSError):
        if made:
            path.parent.rmdir()
        raise


def left_to_users(spec: Spec) -> list[str]:
    """What `litmus predict` does beside the network, and no exported file can."""
    if isinstance(spec.input, Images) and spec.input.strokes:
        return [
            "It does not invert, crop and center what is drawn, as litmus predict does: give it images whose strokes "
            "are like those of the training images, bright on black."
        ]
    if isinstance(spec.input, Series) and spec.input.step:
        return [f"It takes a row for each {spec.input.step}: a date that a file skips needs a row without values."]
    return []


def _write(net: Net, form: str, path: Path, raw: bool) -> float:
    from litmus.inference.export import readback
    from litmus.inference.export.example import program
    from litmus.inference.export.whole import Bare, Whole

    made = FORMATS[form]
    whole = made.whole and not raw
    exported = (Whole if whole else Bare)(net).eval()
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder, readback.quiet(net):
        temporary = Path(folder, path.name)  # torch requires the suffix
        exported(*readback.random_inputs(exported, 1))  # YOLO's head keeps what it first computes, even while traced
        difference = readback.compare(
            exported, made.write(exported, temporary), max(made.tolerance, exported.tolerance)
        )
        example = path.with_name(EXAMPLE)
        if form == "onnx" and whole and not example.exists():
            Path(folder, EXAMPLE).write_text(program(net.spec, path.name), encoding="utf-8")
            Path(folder, EXAMPLE).rename(example)
        temporary.rename(path)
    return difference


def to_torch(exported: "Exported", path: Path) -> Run:
    """Writes a file for `torch.export.load(path).module()`; every axis with a name may have any size.

    Its extra file `litmus.json` holds the spec, and what the inputs and outputs are.
    """
    import torch

    from litmus.inference.export import readback

    inputs = readback.random_inputs(exported, NUM_TRACED)
    program = torch.export.export(exported, inputs, dynamic_shapes=(readback.dynamic_shapes(exported),))
    ports = {each.name: each.doc for each in (*exported.inputs, *exported.outputs)}
    extra = json.dumps({"spec": exported.spec.to_plain(), **ports})
    torch.export.save(program, path, extra_files={"litmus.json": extra})
    return _in_a_tuple(torch.export.load(path).module())


def to_onnx(exported: "Exported", path: Path) -> Run:
    """Writes an ONNX file whose inputs and outputs are named and documented; every named axis may have any size.

    Its metadata hold the spec as JSON under `litmus`, the names of classes or values under `names`, and a tokenizer of
    texts under `tokenizer`. Categories of a table are read as they are written.
    """
    runtime = _import("onnxruntime", "onnx")
    import torch

    from litmus.inference.export.onnx_columns import read_names
    from litmus.inference.export.whole import Whole

    model, names = _onnx_model(exported), [each.name for each in exported.inputs]
    as_arrays: Callable[[Sequence[Tensor]], list[object]] = _arrays
    if isinstance(exported.spec.input, Columns) and isinstance(exported, Whole):
        as_arrays = read_names(model, exported.spec.input)
    path.write_bytes(model.SerializeToString())
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(*inputs: "Tensor") -> list["Tensor"]:
        found = session.run(None, dict(zip(names, as_arrays(inputs), strict=True)))
        return [torch.from_numpy(each) for each in found]

    return run


def to_openvino(exported: "Exported", path: Path) -> Run:
    """Writes a folder with `model.xml` and `model.bin`; categories of a table are numbers, as the spec has them."""
    openvino = _import("openvino", "openvino")
    import torch

    path.mkdir()
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        source = Path(folder, "model.onnx")
        source.write_bytes(_onnx_model(exported).SerializeToString())
        model = openvino.Core().read_model(str(source))  # convert_model would report its use to openvino's makers
    model.set_rt_info(json.dumps(exported.spec.to_plain()), "litmus")
    openvino.save_model(model, str(path / "model.xml"), compress_to_fp16=False)
    # Where a processor has bfloat16, OpenVINO uses it unless it is told not to.
    compiled = openvino.compile_model(str(path / "model.xml"), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda *inputs: [
        torch.from_numpy(each.copy()) for each in compiled([own.numpy() for own in inputs]).to_tuple()
    ]


FORMATS = {
    "huggingface": Format(
        "huggingface", lambda exported, path: _in_a_tuple(exported.net.save_huggingface(path)), whole=False
    ),
    "onnx": Format("model.onnx", to_onnx),
    "openvino": Format("openvino", to_openvino, tolerance=ROUNDING_OF_PIXELS),
    "torch": Format("model.pt2", to_torch),
    "ultralytics": Format(
        "model.pt", lambda exported, path: _in_a_tuple(exported.net.save_ultralytics(path)), whole=False
    ),
}


# The classes of the onnx package are made at run time: no type declares their attributes, hence Any.
def _onnx_model(exported: "Exported") -> Any:
    """The network as a model of the onnx package."""
    onnx = _import("onnx", "onnx")
    _import("onnxscript", "onnx")
    import torch

    from litmus.inference.export import readback

    program = torch.onnx.export(
        exported,
        readback.random_inputs(exported, NUM_TRACED),
        dynamo=True,
        dynamic_shapes=(readback.dynamic_shapes(exported),),
        verbose=False,
    )
    assert program is not None
    model, spec, ports = program.model_proto, exported.spec, (*exported.inputs, *exported.outputs)
    _rename(model.graph, [each.name for each in ports])
    for own, port in zip([*model.graph.input, *model.graph.output], ports, strict=True):
        own.doc_string = port.doc
        for dimension, axis in zip(own.type.tensor_type.shape.dim, port.axes, strict=False):
            if not axis.isdigit():
                dimension.dim_param = axis
    model.producer_name = "litmus"
    model.doc_string = f"{type(exported.net).__name__}, trained on {spec.data}; {exported.doc}"
    metadata = {"litmus": json.dumps(spec.to_plain()), "names": json.dumps(spec.target.names)}
    if isinstance(spec.input, Tokens):
        metadata["tokenizer"] = _tokenizer(spec.input)
    onnx.helper.set_model_props(model, metadata)
    return model


def _rename(graph: Any, names: Sequence[str]) -> None:
    """Gives a graph's inputs and outputs these names, which may be any, such as those of columns."""
    own = [each.name for each in (*graph.input, *graph.output)]
    new = {name: f"{name}." for name in _values(graph) if name in names}
    new |= dict(zip(own, names, strict=True))
    _rename_values(graph, new)


def _values(graph: Any) -> set[str]:
    """The names of all values that a graph holds or computes, those of its inner graphs as well."""
    found = {each.name for each in (*graph.input, *graph.initializer)}
    for node in graph.node:
        found |= set(node.output).union(*(_values(inner) for inner in _inner(node)))
    return found


def _inner(node: Any) -> list[Any]:
    return [attribute.g for attribute in node.attribute if attribute.HasField("g")]


def _rename_values(graph: Any, new: dict[str, str]) -> None:
    for each in (*graph.input, *graph.output, *graph.initializer, *graph.value_info):
        each.name = new.get(each.name, each.name)
    for node in graph.node:
        node.input[:] = [new.get(name, name) for name in node.input]
        node.output[:] = [new.get(name, name) for name in node.output]
        for inner in _inner(node):
            _rename_values(inner, new)


def _tokenizer(tokens: Tokens) -> str:
    """The tokenizer, which truncates and pads by itself."""
    from tokenizers import Tokenizer

    made = Tokenizer.from_str(tokens.tokenizer)
    made.enable_truncation(tokens.max_length)
    made.enable_padding(pad_id=tokens.padding, pad_token=made.id_to_token(tokens.padding))
    return str(made.to_str())


def _arrays(inputs: Sequence["Tensor"]) -> list[object]:
    return [each.numpy() for each in inputs]


def _in_a_tuple(run: "Callable[..., Tensor | Sequence[Tensor]]") -> Run:
    def run_all(*inputs: "Tensor") -> Sequence["Tensor"]:
        found = run(*inputs)
        return found if isinstance(found, list | tuple) else (found,)

    return run_all


def _import(package: str, form: str) -> ModuleType:
    try:
        return __import__(package)
    except ModuleNotFoundError:
        extra = "openvino" if form == "openvino" else "export"
        raise UserError(f"--to {form} requires the package {package}. Run pip install 'litmus[{extra}]'.") from None
