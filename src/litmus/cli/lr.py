"""Finds a learning rate: trains a few steps at a rate that grows, and sees where the loss stops falling.

This is the range test of Smith (2017). The network begins with fresh weights, and no run is made.
"""

import argparse
import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from litmus.cli._options import rate, steps
from litmus.cli.evaluate import changed
from litmus.config.command import train_command
from litmus.config.conf import CONF
from litmus.config.keys import choice
from litmus.config.launch import alone
from litmus.config.preflight import preflight
from litmus.config.types import Section
from litmus.config.validate import class_attributes, mistakes
from litmus.errors import UserError, WrongArguments
from litmus.fetch import local
from litmus.record.command import replaced, words_of
from litmus.record.folder import CONFIG, RunDir

if TYPE_CHECKING:
    from litmus.run.learning_rate import RangeTest

LOWEST, HIGHEST = 1e-7, 10.0  # fastai's
NOTHING = 1  # the exit status where there is nothing to suggest


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument(
        "what",
        metavar="RUN | KEY=VALUE",
        nargs="*",
        help="a run folder, whose configuration is tested; or overrides as of train.py, such as model=cnn",
    )
    parser.add_argument("--from", dest="lowest", type=rate, default=LOWEST, metavar="LR", help=f"first rate ({LOWEST})")
    parser.add_argument("--to", dest="highest", type=rate, default=HIGHEST, metavar="LR", help=f"last rate ({HIGHEST})")
    parser.add_argument(
        "--steps", type=steps, metavar="N", help="how many (as many as an epoch has, from 100 to 500 of them)"
    )
    parser.add_argument("--out", metavar="PNG", help="file of the picture (lr-MODEL-DATA.png in the current folder)")
    parser.add_argument("--json", action="store_true", help="print all as JSON; without --out, no picture is drawn")


def main(arguments: argparse.Namespace) -> int:
    """Prints the rate as a command, and draws the curve; the exit status is 1 where the loss never falls.

    Raises:
        UserError: the run or the configuration cannot be used, or no rate matters to the network.
    """
    if arguments.lowest >= arguments.highest:
        raise WrongArguments(f"--from {arguments.lowest:g} is not below --to {arguments.highest:g}.")
    run, config = _configured(arguments)
    picture = _picture(arguments, config)
    if not class_attributes(config["model"]["_target_"], ("rate_matters",)).get("rate_matters", True):
        raise UserError(
            f"model={choice(config, 'model')} learns the same at any optimizer.lr: a rate only scales its weights, "
            "which begin at zero, and its rule looks at the order of the scores. Leave the rate as it is."
        )

    if "lr" not in config["optimizer"]:
        raise UserError(f"optimizer={choice(config, 'optimizer')} has no key lr, so there is no rate to look for.")

    from litmus import console
    from litmus.cli import _rates

    with console.log_to(None):
        test = _tested(run, config, arguments)
        if picture is not None:
            _rates.write(picture, _rates.drawing(test, f"{choice(config, 'model')} on {choice(config, 'data')}"))
        command = _command(run, arguments.what, _rates.override(test))
        configured = float(config["optimizer"]["lr"])
        if arguments.json:
            console.json_line(_rates.plain(test, configured, command, picture))
        else:
            _rates.show(test, configured, command, picture)
    return NOTHING if command is None else 0


def _configured(arguments: argparse.Namespace) -> tuple[RunDir | None, Section]:
    """The run, if one is named, and the configuration, checked as train.py checks it."""
    runs = [word for word in arguments.what if _is_run(word)]
    if not runs:
        config: Section = arguments.compose(arguments.what)
        return None, config
    if len(runs) > 1:
        raise WrongArguments(f"{runs[0]} and {runs[1]} are two runs. Name one of them.")
    run = RunDir.named(runs[0])
    own = run.read_config()
    if wrong := mistakes(own):
        raise UserError("\n".join(wrong))
    config = changed(own, [word for word in arguments.what if word not in runs])
    if wrong := mistakes(config) or preflight({**config, "trainer": alone(config["trainer"])}):
        raise WrongArguments("\n".join(wrong))
    return run, config


def _is_run(word: str) -> bool:
    """Whether a word is no override, nor a choice or group without the rest, such as `cnn`: composing says so.

    A folder of that name is what is meant, where it is a run's.
    """
    if "=" in word or not word.strip() or word[0] in "~+":
        return False
    is_choice = word.isidentifier() and ((CONF / word).is_dir() or any(CONF.glob(f"*/{word}.yaml")))
    return Path(word, CONFIG).is_file() or not is_choice


def _picture(arguments: argparse.Namespace, config: Section) -> Path | None:
    """The file of the picture, if there is to be one."""
    if arguments.out is None:
        return None if arguments.json else Path(f"lr-{choice(config, 'model')}-{choice(config, 'data')}.png")
    path = local.expand(arguments.out)
    if path.suffix.lower() != ".png":
        raise WrongArguments(f"--out {arguments.out} should end in .png.")
    if local.kind_of(path) == "folder":
        raise WrongArguments(f"{arguments.out} is a folder. Name a file for the picture.")
    return path


def _tested(run: RunDir | None, config: Section, arguments: argparse.Namespace) -> "RangeTest":
    from litmus import console
    from litmus.run import header

    def doing(what: str) -> AbstractContextManager[None]:
        return nullcontext() if arguments.json else console.doing(what)

    if not arguments.json:
        groups = ("model", "data", "optimizer")
        where = "" if run is None else f"  as {run.path}, from fresh weights"
        console.say("  ".join(f"{group}={choice(config, group)}" for group in groups) + where, style="bold", wrap=True)
    with header.importing_torch(is_quiet=arguments.json):
        from litmus.run.build import prepare
        from litmus.run.learning_rate import range_test
    from rich.progress import Progress

    with doing(f"reading data={choice(config, 'data')}"):
        data = prepare(config)
    if data.warning:
        console.error(data.warning)
    with Progress(console=console.err, disable=not console.err.is_terminal, transient=True) as progress:
        bar = progress.add_task("raising the rate", total=1.0)
        advance = functools.partial(progress.update, bar)
        return range_test(
            config, data, arguments.lowest, arguments.highest, arguments.steps, lambda done: advance(completed=done)
        )


def _command(run: RunDir | None, typed: Sequence[str], suggestion: str | None) -> str | None:
    """What trains with the suggestion; None without one."""
    if suggestion is None:
        return None
    words = [word for word in typed if not _is_run(word)]
    own = [] if run is None else words_of(run)
    return suggestion if own is None else train_command(*replaced([*replaced(own, words)], [suggestion]))
