"""What a server takes at most; no torch here, so that its verb's `--help` may say so."""

LARGEST_IMAGES = 8 * 10**6  # bytes of a request with images
LARGEST_TEXT = 10**6  # bytes of any other request
MOST_HELD = 256 * 10**6  # bytes of all requests that are being read or wait
MOST_DROPPED = 64 * 10**6  # bytes of a request that is too large, which are read so that its sender hears the answer
MOST_PIXELS = 50_000_000  # of an image
MOST_PIXELS_TOGETHER = 100_000_000  # of a request's images: black ones of that size fit into a few kilobytes
MOST_ITEMS = 1_000  # texts, rows or images of a request
MOST_STEPS = 1_000  # of a forecast
LARGEST_NUMBER = 1e30  # of a cell or a value: networks compute in float32
MOST_WAITING = 1_000  # requests
SECONDS = 30.0  # for a request, from its first byte to its answer


class TooMuch(Exception):
    """A request is larger than any may be."""


class Busy(Exception):
    """There are so many requests that another one would wait too long."""
