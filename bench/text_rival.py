"""What Hugging Face's own Trainer reaches by default, on the splits and with the encoder of `model=bert`."""

import io
from contextlib import redirect_stdout

from rich.console import Console
from rich.progress import track

from bench import _trainer
from bench._common import markdown
from bench.accuracy import listed
from bench.text_accuracy import SEEDS
from bench.text_speed import labeled, snippets

EPOCHS = 3  # the Trainer's default


def measure() -> str:
    found = [_rival(seed) for seed in track(SEEDS, "Hugging Face's Trainer", console=Console(stderr=True))]
    chosen, tested = ([100 * of[part] for of in found] for part in ("val", "test"))
    mean = f"{sum(tested) / len(tested):.2f}"
    row = ("Trainer, dynamic padding, default settings", str(SEEDS), listed(chosen), listed(tested), mean)
    return (
        "## Hugging Face's Trainer on the film snippets\n\n"
        + markdown(("", "seeds", "validation %", "test %", "mean of test"), [row])
        + f"\nOn the splits of `model=bert` above, seed by seed; the epoch that validation chose of {EPOCHS}.\n"
    )


def _rival(seed: int) -> dict[str, float]:
    data = snippets(seed)
    parts = {part: labeled(data, part) for part in ("train", "val", "test")}
    with redirect_stdout(io.StringIO()):  # it prints its metrics
        return _trainer.train(parts["train"], parts["val"], parts["test"], padded=False, epochs=EPOCHS, seed=seed)
