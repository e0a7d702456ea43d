"""What predicts with a network, chosen by the kind of its input."""

from litmus.config.protocols import Net
from litmus.errors import UserError
from litmus.inference.columns import ColumnPredictor
from litmus.inference.images import ImagePredictor
from litmus.inference.pipeline import PipelinePredictor
from litmus.inference.texts import TextPredictor
from litmus.spec import Columns, Images, Tokens

NetPredictor = ImagePredictor | TextPredictor | ColumnPredictor
Predictor = NetPredictor | PipelinePredictor


def predictor(net: Net) -> NetPredictor:
    """What predicts with a network.

    Raises:
        UserError: the network takes something else than images, texts or columns.
    """
    if isinstance(net.spec.input, Tokens):
        return TextPredictor(net)
    if isinstance(net.spec.input, Images):
        return ImagePredictor(net)
    if isinstance(net.spec.input, Columns):
        return ColumnPredictor(net)
    raise UserError(
        f"This network takes {net.spec.input.noun}; litmus predict supports images, texts and tables. Use litmus "
        "export RUN, and run the network in your own program."
    )
