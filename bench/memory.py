"""Peak memory of `python train.py model=cnn`."""

from bench._common import commanded_peak_gb, markdown, spread


def measure() -> str:
    figures = [commanded_peak_gb("model=cnn") for _ in range(3)]
    rows = [("`python train.py model=cnn`, the whole process", spread(figures, 2), "at most 1.5")]
    return "## Peak memory\n\n" + markdown(("", "GB", "asked for"), rows)
