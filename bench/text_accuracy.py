"""What the networks for texts and series reach."""

from rich.console import Console
from rich.progress import track

from bench._common import markdown, run_command
from bench.accuracy import listed

SEEDS = (0, 1, 2)
RUNS = [
    ("model=bert", "acc", "at least 84.5 %"),
    ("model=lstm", "acc", "at least 74 %"),
    ("model=lstm data=mnist", "acc", "at least 98.5 %"),
    ("model=lstm data=series", "gain", "at least 15 %"),
]


def value_of(metrics: dict[str, float], part: str, metric: str) -> float:
    """A metric of a split; `gain` is by what fraction the RMSE is below the better naive forecast's."""
    if metric != "gain":
        return metrics[f"{part}/{metric}"]
    return 1 - metrics[f"{part}/rmse"] / min(metrics[f"{part}/{name}_rmse"] for name in ("naive", "seasonal"))


def measure() -> str:
    jobs = [(what, seed) for what, _, _ in RUNS for seed in SEEDS]
    progress = track(jobs, "texts and series", console=Console(stderr=True))
    results = {(what, seed): run_command(*what.split(), f"seed={seed}") for what, seed in progress}
    rows = []
    for what, metric, wanted in RUNS:
        of = [results[what, seed] for seed in SEEDS]
        chosen, tested = ([100 * value_of(r["metrics"], part, metric) for r in of] for part in ("val", "test"))
        sizes = " / ".join(f"{of[0]['dataset'][part]:,}" for part in ("train", "val", "test"))
        mean = f"{sum(tested) / len(tested):.2f}"
        names = {"acc": "accuracy", "gain": "RMSE below the better naive forecast's"}
        rows.append((f"`{what}`", names[metric], sizes, str(SEEDS), listed(chosen), listed(tested), mean, wanted))
    head = ("", "%", "train / val / test", "seeds", "validation", "test", "mean of test", "target")
    return "## Accuracy on film snippets, digits row by row, and sunspots; default settings\n\n" + markdown(head, rows)
