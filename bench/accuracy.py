"""Test accuracy with the weights of the epoch that validation chose, all of MNIST, default settings."""

from collections.abc import Sequence

from rich.console import Console
from rich.progress import track

from bench._common import markdown, run_command, spread

RUNS = [
    ("model=perceptron", (0, 1, 2), "at least 88 %"),
    ("model=fnn", (0, 1, 2), "at least 97.8 %"),
    ("model=scratch", (0, 1, 2), "at least 97.8 %"),
    ("model=cnn", (0, 1, 2), "at least 99.1 %"),
]


def measure() -> str:
    return "## Accuracy on MNIST, default settings\n\n" + table(RUNS)


def table(runs: Sequence[tuple[str, tuple[int, ...], str]]) -> str:
    """Trains every (override, seeds, target) and lists what was reached."""
    jobs = [(what, seed) for what, seeds, _ in runs for seed in seeds]
    progress = track(jobs, "accuracy", console=Console(stderr=True))
    results = {(what, seed): run_command(what, f"seed={seed}") for what, seed in progress}
    rows = []
    for what, seeds, wanted in runs:
        of = [results[what, seed] for seed in seeds]
        assert all(r["dataset"]["train"] == 55_000 and r["dataset"]["test"] == 10_000 for r in of)
        tested = [100 * r["metrics"]["test/acc"] for r in of]
        chosen = [100 * r["metrics"]["val/acc"] for r in of]
        mean = sum(tested) / len(tested)
        minutes = spread([r["seconds"]["fit"] / 60 for r in of], 1)
        shown = (str(seeds), listed(chosen), listed(tested), f"{mean:.2f}", minutes, wanted)
        rows.append((f"`{what}`", f"{of[0]['parameters']:,}", str(of[0]["epochs"]), *shown))
    head = (
        "",
        "parameters",
        "epochs",
        "seeds",
        "validation %",
        "test %",
        "mean of test",
        "minutes of training",
        "target",
    )
    return markdown(head, rows)


def listed(figures: list[float]) -> str:
    """Percentages, one after another."""
    return ", ".join(f"{figure:.2f}" for figure in figures)
