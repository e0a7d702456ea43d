"""What predicts with a network, chosen by the kind of its input: whoever has images need not wait for polars."""

from typing import TYPE_CHECKING, Union

from litmus.config.protocols import Net
from litmus.errors import UserError
from litmus.spec import Columns, Images, Tokens

if TYPE_CHECKING:
    from litmus.inference.columns import ColumnPredictor
    from litmus.inference.images import ImagePredictor
    from litmus.inference.pipeline import PipelinePredictor
    from litmus.inference.texts import TextPredictor

NetPredictor = Union["ImagePredictor", "TextPredictor", "ColumnPredictor"]
Predictor = Union[NetPredictor, "PipelinePredictor"]


def predictor(net: Net) -> NetPredictor:
    """What predicts with a network.

    Raises:
        UserError: the network takes something else than images, texts or columns.
    """
    if isinstance(net.spec.input, Tokens):
        from litmus.inference.texts import TextPredictor

        return TextPredictor(net)
    if isinstance(net.spec.input, Images):
        from litmus.inference.images import ImagePredictor

        return ImagePredictor(net)
    if isinstance(net.spec.input, Columns):
        from litmus.inference.columns import ColumnPredictor

        return ColumnPredictor(net)
    raise UserError(
        f"This network takes {net.spec.input.noun}; litmus predict supports images, texts and tables. Use litmus "
        "export RUN, and run the network in your own program."
    )
