"""A network in the formats of other programs; each file is read back and compared before it is kept.

No torch at the top: `litmus export --help` lists the formats of `FORMATS`, and answers at once.
"""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple, cast

from litmus.config.protocols import Net
from litmus.errors import UserError
from litmus.spec import Classes

if TYPE_CHECKING:
    from torch import Tensor, nn

Predict = Callable[["Tensor"], "Tensor"]
INPUT_NAMES = {
    "Images": "images",
    "Tokens": "tokens",
    "Series": "series",
    "Columns": "columns",
}  # of the input in an ONNX file
NUM_TRACED = 3  # samples with which torch traces a network


class Format(NamedTuple):
    """A format.

    Attributes:
        file_name: what is written in a run's folder `export`.
        write: writes a network to a path that does not exist, and gives the network that it reads back from there.
    """

    file_name: str
    write: Callable[[Net, Path], Predict]


def write(net: Net, form: str, path: Path) -> float:
    """Writes a network completely, or not at all.

    Args:
        net: with its weights, in evaluation mode; parameters no longer require gradients afterwards.
        form: a key of `FORMATS`.
        path: of the file or folder, which must not exist.

    Returns:
        The largest difference between the outputs of the exported network and of `net`.

    Raises:
        UserError: the network cannot be exported to this format, or the outputs differ by more than rounding.
        OSError: the path cannot be written.
    """
    made = not path.parent.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _write(net, form, path)
    except (UserError, OSError):
        if made:
            path.parent.rmdir()
        raise


def _write(net: Net, form: str, path: Path) -> float:
    from litmus.inference import readback

    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder, readback.quiet(net):
        temporary = Path(folder, path.name)  # torch requires the suffix
        difference = readback.compare(net, FORMATS[form].write(net, temporary))
        temporary.rename(path)
    return difference


def to_torch(net: Net, path: Path) -> Predict:
    """Writes a file for `torch.export.load(path).module()`, for any batch size and length of texts."""
    import torch

    from litmus.inference import readback

    inputs = (readback.random_inputs(net, NUM_TRACED),)
    program = torch.export.export(cast("nn.Module", net), inputs, dynamic_shapes=(readback.dynamic_shapes(net),))
    torch.export.save(program, path)
    return cast(Predict, torch.export.load(path).module())


def to_onnx(net: Net, path: Path) -> Predict:
    """Writes an ONNX file with one input and the output `outputs`, for any batch size and length of texts.

    Its metadata hold the spec as JSON under `litmus`: normalization, class names and so on. Of a network for classes,
    they also say under `outputs` whether these are "logits", whose softmax are probabilities, or "scores".
    """
    onnx, runtime = _import("onnx"), _import("onnxruntime")
    _import("onnxscript")
    import torch

    from litmus.inference import readback

    name = INPUT_NAMES[type(net.spec.input).__name__]
    program = torch.onnx.export(
        cast("nn.Module", net),
        (readback.random_inputs(net, NUM_TRACED),),
        dynamo=True,
        dynamic_shapes=(readback.dynamic_shapes(net),),
        input_names=[name],
        output_names=["outputs"],
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    metadata = {"litmus": json.dumps(net.spec.to_plain())}
    if isinstance(net.spec.target, Classes):
        metadata["outputs"] = "logits" if net.predicts_probabilities else "scores"
    onnx.helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda x: torch.from_numpy(session.run(None, {name: x.numpy()})[0])


FORMATS = {
    "huggingface": Format("huggingface", lambda net, path: net.save_huggingface(path)),
    "onnx": Format("model.onnx", to_onnx),
    "torch": Format("model.pt2", to_torch),
    "ultralytics": Format("model.pt", lambda net, path: net.save_ultralytics(path)),
}


def _import(package: str) -> ModuleType:
    try:
        return __import__(package)
    except ModuleNotFoundError:
        raise UserError(f"--to onnx requires the package {package}. Run pip install 'litmus[export]'.") from None
