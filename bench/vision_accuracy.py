"""What the recipes for images reach, and how long they take."""

from rich.console import Console
from rich.progress import track

from bench._common import markdown, run_command

RUNS = [
    ("experiment=yolo_digits", ("map50", "map"), "mAP50 at least 0.97, mAP50-95 at least 0.78, in 30 minutes"),
    # Four epochs are what two cores with native bf16 have time for; without it, one.
    ("model=resnet model.weights=null data=mnist trainer.max_epochs=4", ("acc",), "at least 0.993, in 15 minutes"),
]


def measure() -> str:
    rows = []
    for what, names, wanted in track(RUNS, "images", console=Console(stderr=True)):
        result = run_command(*what.split(), "seed=0")
        chosen, tested = (", ".join(f"{result['metrics'][f'{p}/{n}']:.4f}" for n in names) for p in ("val", "test"))
        minutes = sum(result["seconds"].values()) / 60
        sizes = " / ".join(f"{result['dataset'][part]:,}" for part in ("train", "val", "test"))
        rows.append((f"`{what}`", sizes, ", ".join(names), chosen, tested, f"{minutes:.1f}", wanted))
    head = ("", "train / val / test", "", "validation", "test", "minutes", "target")
    return "## Images: what is reached, and when; seed 0\n\n" + markdown(head, rows)
