"""A page's part on what the first layer of a network that sees pixels looks for."""

from litmus.config.protocols import Net
from litmus.page.filters import MOST_FILTERS, filters, first_layer
from litmus.report.parts import Chart, Section


def sections(net: Net) -> list[Section]:
    """The weights of the first layer as images, where that layer has a weight for each pixel, or is a convolution."""
    weights = first_layer(net)
    if weights is None:
        return []
    number = min(len(weights), MOST_FILTERS)
    many = f"{number} of {len(weights)}" if number < len(weights) else str(len(weights))
    how = "blue where a bright pixel raises the output, orange where it lowers it"
    how = how if weights.shape[1] == 1 else "as colors"
    said = f"The weights of {many} units of the first layer, {how}; each on its own scale."
    return [Section("filters", "What the first layer looks for", [Chart("filters", said, filters(weights))])]
