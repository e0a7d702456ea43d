"""A page's part on what the first layer of a network that sees pixels looks for."""

from litmus.config.protocols import Net
from litmus.page.filters import MOST_FILTERS, as_images, filters
from litmus.report.parts import Chart, Section
from litmus.spec import Images


def sections(net: Net) -> list[Section]:
    """The weights of the first layer as images, where that layer has a weight for each pixel, or is a convolution."""
    spec = net.spec.input
    first = next(iter(net.parameters()), None)
    if not isinstance(spec, Images) or first is None:
        return []
    weights = as_images(first.detach().float().cpu().numpy(), spec)
    if weights is None:
        return []
    number = min(len(weights), MOST_FILTERS)
    many = f"{number} of {len(weights)}" if number < len(weights) else str(len(weights))
    how = "blue where a bright pixel raises the output, orange where it lowers it"
    how = how if spec.channels == 1 else "as colors"
    said = f"The weights of {many} units of the first layer, {how}; each on its own scale."
    return [Section("filters", "What the first layer looks for", [Chart("filters", said, filters(weights))])]
