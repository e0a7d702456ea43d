"""What `trainer.compile` costs and gives: trainings as they are against compiled ones, from nothing kept on disk."""

import os
from collections.abc import Mapping, Sequence
from unittest import mock

from rich.progress import track

from bench._common import markdown, median, ratios, run_command, spread
from litmus import console

REPEATS = 3
EPOCHS = 6
CASES: Mapping[str, Sequence[str]] = {
    "`model=fnn`": ("model=fnn",),
    "`model=cnn`, 10,000 digits": ("model=cnn", "data.limit=10000"),
}
COLD = "TORCHINDUCTOR_FORCE_DISABLE_CACHES"  # as the first such training of a machine


def measure() -> str:
    columns = ("", "seconds an epoch", "compiled", "times as long", f"{EPOCHS} epochs, s", "compiled", "compiling pays")
    with mock.patch.dict(os.environ, {COLD: "1"}):
        rows = [_row(name, words) for name, words in CASES.items()]
    said = (
        "`trainer.compile=auto` tries it where half an hour of training is left, which the attempt lengthens by 3% at "
        "most, and compiles where a step takes 5% less so.\n"
    )
    return "## Compiled steps\n\n" + markdown(columns, rows) + "\n" + said


def _row(name: str, words: Sequence[str]) -> Sequence[str]:
    epochs: dict[bool, list[float]] = {False: [], True: []}
    wholes: dict[bool, list[float]] = {False: [], True: []}
    for _ in track(range(REPEATS), name, console=console.Screen(stderr=True)):
        for setting in epochs:
            result = run_command(*words, f"trainer.max_epochs={EPOCHS}", f"trainer.compile={str(setting).lower()}")
            epochs[setting].append(result["dataset"]["train"] / result["samples_per_second"])
            wholes[setting].append(result["seconds"]["fit"])
    gained = median(epochs[False]) - median(epochs[True])
    cost = median(wholes[True]) - median(wholes[False]) + EPOCHS * gained
    pays = (
        f"after {cost / gained:,.0f} epochs, {cost / gained * median(epochs[False]):,.0f} s" if gained > 0 else "never"
    )
    times = spread(ratios(epochs[True], epochs[False]), 2)
    figures = [spread(of[setting], 2) for of in (epochs, wholes) for setting in of]
    return (name, *figures[:2], times, *figures[2:], pays)


if __name__ == "__main__":
    print(measure())
