"""Peak memory of `python train.py model=cnn`."""

from bench._common import markdown, peak_gb_of_command, spread


def measure() -> str:
    figures = [peak_gb_of_command("model=cnn") for _ in range(3)]
    rows = [("`python train.py model=cnn`, the whole process", spread(figures, 2), "at most 1.5")]
    return "## Peak memory\n\n" + markdown(("", "GB", "target"), rows)
