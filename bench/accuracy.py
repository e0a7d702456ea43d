"""Test accuracy with the weights of the epoch that validation chose, all of MNIST, default settings."""

from rich.console import Console
from rich.progress import track

from bench._common import commanded, markdown

SEEDS = (0, 1, 2)
RUNS = [
    ("model=perceptron", "at least 88 %"),
    ("model=fnn", "at least 97.8 %"),
    ("model=scratch", "at least 97.8 %"),
    ("model=cnn", "at least 99.1 %"),
    ("experiment=cnn_best", "at least 99.55 %"),
]


def measure() -> str:
    jobs = [(what, seed) for what, _ in RUNS for seed in SEEDS]
    results = {
        job: commanded(job[0], f"seed={job[1]}") for job in track(jobs, "accuracy", console=Console(stderr=True))
    }
    rows = []
    for what, wanted in RUNS:
        of = [results[what, seed] for seed in SEEDS]
        tested = "  ".join(f"{100 * r['metrics']['test/acc']:.2f}" for r in of)
        chosen = "  ".join(f"{100 * r['metrics']['val/acc']:.2f}" for r in of)
        mean = sum(r["metrics"]["test/acc"] for r in of) / len(of)
        minutes = max(r["seconds"]["fit"] for r in of) / 60
        epochs = str(of[0]["epochs"])
        rows.append(
            (
                f"`{what}`",
                f"{of[0]['parameters']:,}",
                epochs,
                f"{minutes:.1f}",
                chosen,
                tested,
                f"{100 * mean:.2f}",
                wanted,
            )
        )
        assert all(r["dataset"]["train"] == 55_000 and r["dataset"]["test"] == 10_000 for r in of)
    head = ("", "parameters", "epochs", "minutes", f"val %, seeds {SEEDS}", "test %", "mean", "asked for")
    return "## Accuracy on MNIST\n\n" + markdown(head, rows)
