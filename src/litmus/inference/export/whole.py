"""A network between its preprocessing and its postprocessing: raw data in, answers that need no explanation out."""

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from litmus.config.protocols import Net
from litmus.inference.export.cells import Cells, as_numbers
from litmus.inference.export.detections import Detections
from litmus.inference.export.pixels import Pixels
from litmus.inference.export.standardize import Unstandardize
from litmus.inference.export.windows import Windows
from litmus.record.metrics import min_score_of
from litmus.spec import Boxes, Classes, Columns, Images, Labels, Series, Spec, Tokens, Values

BARE_NAMES = {"Images": "images", "Tokens": "tokens", "Series": "series", "Columns": "columns"}


class Port(NamedTuple):
    """An input or an output of an exported network.

    Attributes:
        name: in the file.
        axes: the names of its first dimensions; one with a name of digits has that size, any other any size.
        doc: what it holds, for the file's documentation.
    """

    name: str
    axes: tuple[str, ...]
    doc: str


class Bare(nn.Module):
    """A network as it is, between normalized inputs and outputs that are still to be interpreted.

    Args:
        net: with its weights, in evaluation mode.

    Attributes:
        net: the network.
        inputs: of `forward`, in this order.
        outputs: of `forward`, in this order.
        doc: what this is, for a file's documentation.
        tolerance: of differences when an exported network is compared, relative to the largest output.
    """

    doc = "without preprocessing and postprocessing"
    tolerance = 1e-5  # float32 in another order gives about 1e-6

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        self.spec: Spec = net.spec
        noun, outputs = type(net.spec.input).__name__, "outputs of the network"
        if isinstance(net.spec.target, Classes | Labels):
            outputs = "logits, whose softmax are probabilities" if net.predicts_probabilities else "scores"
        if isinstance(net.spec.target, Labels) and net.predicts_probabilities:
            outputs = "logits, whose sigmoid are probabilities"
        axes = tuple(str(size) for size in net.example(1).shape[1:])
        if isinstance(net.spec.input, Tokens):
            axes = ("length",)
        self.inputs: tuple[Port, ...] = (Port(BARE_NAMES[noun], ("batch", *axes), "normalized, as litmus has it"),)
        self.outputs: tuple[Port, ...] = (Port("outputs", ("batch",), outputs),)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What `inputs` and `outputs` say; a single output is a tensor."""
        return self.net(inputs[0])

    def differences(self, outputs: Sequence[Tensor], others: Sequence[Tensor]) -> list[tuple[float, float]]:
        """As of `Net.max_differences`."""
        return self.net.max_differences(outputs[0], others[0])


class Whole(Bare):
    """A network with what goes before and after it."""

    doc = "with preprocessing and postprocessing"
    tolerance = 1e-4  # probabilities lie in [0, 1], whereas logits of 100 differ by 1e-4 with a rounding of 1e-6

    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.inputs, self.outputs = inputs_of(net.spec), outputs_of(net)
        self.read, self.answer = _reading(net.spec), _answering(net)

    def forward(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        if isinstance(self.answer, Detections):
            image = inputs[0][None]
            found: tuple[Tensor, ...] = self.answer(self.net(self.read(image)).float(), image)
            return found
        answer: Tensor = self.answer(self.net(self.read(*inputs)).float())
        return answer

    def differences(self, outputs: Sequence[Tensor], others: Sequence[Tensor]) -> list[tuple[float, float]]:
        return [_difference(output, other) for output, other in zip(outputs, others, strict=True)]


def _reading(spec: Spec) -> nn.Module:
    if isinstance(spec.input, Images):
        return Pixels(spec.input)
    if isinstance(spec.input, Columns):
        return Cells(spec.input)
    if isinstance(spec.input, Series):
        return Windows(spec.input, len(spec.target.names))
    return nn.Identity()


def _answering(net: Net) -> nn.Module:
    target = net.spec.target
    if isinstance(target, Boxes):
        assert isinstance(net.spec.input, Images)
        return Detections(net.spec.input, min_score_of(net))
    if isinstance(target, Values):
        return Unstandardize(target.mean, target.std)
    if not net.predicts_probabilities:
        return nn.Identity()
    return nn.Sigmoid() if isinstance(target, Labels) else nn.Softmax(dim=1)


def _difference(output: Tensor, other: Tensor) -> tuple[float, float]:
    if output.shape != other.shape:
        return float("inf"), 0.0
    if not output.numel():
        return 0.0, 0.0
    return float((other - output).abs().max()), float(output.abs().max())


def inputs_of(spec: Spec) -> tuple[Port, ...]:
    """The inputs of a network with its preprocessing."""
    read = spec.input
    if isinstance(read, Columns):
        return tuple(Port(name, ("batch",), as_numbers(column)) for name, column in read.by_name().items())
    if isinstance(read, Tokens):
        doc = "token numbers of the tokenizer in the metadata, each text padded to the longest"
        return (Port("tokens", ("batch", "length"), doc),)
    if isinstance(read, Series):
        rows = 1 + read.length + (len(spec.target.names) if read.known else 0)
        return (Port("series", ("batch", str(rows), str(len(read.raw))), _of_series(read)),)
    if isinstance(spec.target, Boxes):
        return (Port("image", ("height", "width", "3"), "an upright RGB image of any size, 8 bits a channel"),)
    doc = "upright RGB images of one size, which may be any, 8 bits a channel"
    if read.strokes:
        doc += "; strokes bright on black, of the training images' size and place"
    return (Port("images", ("batch", "height", "width", "3"), doc),)


def _of_series(read: Series) -> str:
    doc = f"{', '.join(read.raw)} in the data's units, NaN where a value is missing: a row with the last value of each"
    doc += f" before the window, then the window's {read.length} rows"
    if not read.known:
        return doc
    return (
        f"{doc}, then those of the steps to forecast, of which only {', '.join(read.raw[-read.known :])} is looked at"
    )


def outputs_of(net: Net) -> tuple[Port, ...]:
    """The outputs of a network with its postprocessing."""
    target = net.spec.target
    if isinstance(target, Boxes):
        return (
            Port("boxes", ("detections", "4"), "left, top, right and bottom, in pixels of the image"),
            Port("scores", ("detections",), "in [0, 1], the best first"),
            Port("labels", ("detections",), "numbers of the classes, in the order of names in the metadata"),
        )
    size = str(len(target.names))
    if isinstance(target, Values):
        return (Port(_free("values", net.spec), ("batch", size), f"in the data's unit: {', '.join(target.names)}"),)
    noun = "labels" if isinstance(target, Labels) else "classes"
    if net.predicts_probabilities:
        doc = f"probabilities of the {noun}, in the order of names in the metadata"
        return (Port(_free("probabilities", net.spec), ("batch", size), doc),)
    best = "those above 0 are the answer" if isinstance(target, Labels) else "the highest is the answer"
    doc = f"unbounded scores of the {noun}, in the order of names in the metadata; {best}"
    return (Port(_free("scores", net.spec), ("batch", size), doc),)


def _free(name: str, spec: Spec) -> str:
    """The name of an output, which no column has."""
    taken = spec.input.by_name() if isinstance(spec.input, Columns) else {}
    while name in taken:
        name += "_"
    return name
