"""Trains a run, kills it at random moments, resumes it each time, and compares the two to the last bit."""

import argparse
import random
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from litmus.cli._options import count
from litmus.errors import WrongArguments
from litmus.record.folder import RunDir


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument(
        "what",
        metavar="RUN | KEY=VALUE",
        nargs="+",
        help="a finished run, as which a killed one must end; or what to train, such as model=cnn data.limit=500",
    )
    parser.add_argument("--kills", type=count, default=5, metavar="N", help="how often to kill (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")


def main(arguments: argparse.Namespace) -> int:
    """Prints a table; the exit status is 1 if anything differs, and then the folders are kept.

    Raises:
        UserError: a run cannot be trained, or what was typed is neither a run nor overrides.
    """
    runs = [each for each in arguments.what if "=" not in each]
    if runs and len(arguments.what) > 1:
        raise WrongArguments(f"{runs[0]} is no KEY=VALUE; and a run is verified as it was trained, without any.")

    from rich.progress import Progress

    from litmus import console
    from litmus.run import verify

    folder = Path(tempfile.mkdtemp(prefix="litmus-verify-"))
    screen = console.Screen(stderr=True)
    try:
        with console.log_to(None), Progress(console=screen, disable=not screen.is_terminal, transient=True) as progress:
            bar = progress.add_task("training", total=arguments.kills)
            if runs:
                straight = RunDir.named(runs[0])
                straight.read_config()  # raises, where there is no run
                overrides = [f"reproduce={straight.path.resolve()}"]
            else:
                overrides = arguments.what
                straight = verify.train_straight(folder / "straight", overrides)
            progress.update(bar, description="killed")
            moments = random.Random(arguments.seed)
            kills = arguments.kills
            verdict = verify.verify(straight, folder, overrides, kills, moments, lambda: progress.advance(bar))
    finally:
        with suppress(OSError):
            folder.rmdir()  # where nothing could be trained, it is empty
    rows = [(part, "identical" if same else "differs") for part, same in verdict.same.items()]
    title = f"{verdict.kills} times killed, {verdict.within} of them within an epoch"
    console.table(("of the run", "after that"), [*rows, ("temporary files left", str(len(verdict.left)))], title=title)
    if verdict.exact:
        shutil.rmtree(folder)
        if not verdict.within:
            console.say("No kill left a step within an epoch: the epochs are too short to keep any.", wrap=True)
        console.say(f"{verdict.kills} of {verdict.kills} kills left no trace", style="bold")
        return 0
    console.say(f"see {straight.path} and {', '.join(str(each) for each in verdict.folders)}", style="red", wrap=True)
    return 1
