"""What Hugging Face's own Trainer reaches by default, on the split and with the encoder of `model=bert seed=0`."""

import io
from contextlib import redirect_stdout

from bench import _trainer
from bench._common import markdown
from bench.text_speed import labelled, snippets

EPOCHS = 3  # the Trainer's default


def measure() -> str:
    data = snippets(seed=0)
    parts = {part: labelled(data, part) for part in ("train", "val", "test")}
    with redirect_stdout(io.StringIO()):  # it prints its metrics
        found = _trainer.trained(parts["train"], parts["val"], parts["test"], padded=False, epochs=EPOCHS, seed=0)
    row = ("Trainer, dynamic padding, default settings", f"{100 * found['val']:.2f}", f"{100 * found['test']:.2f}")
    return (
        "## Hugging Face's Trainer on the film snippets\n\n"
        + markdown(("", "validation %", "test %"), [row])
        + f"\nThe split of `model=bert seed=0` above, the epoch that validation chose of {EPOCHS}; one seed.\n"
    )
