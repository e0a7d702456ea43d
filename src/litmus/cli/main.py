"""`litmus VERB ...`: the commands for run folders. A verb is a module of the same name, imported when it is used."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from litmus.config.deferred import defer
from litmus.config.machine import watch
from litmus.config.plugin_check import check_plugins
from litmus.config.types import Section
from litmus.config.validate import did_you_mean
from litmus.errors import EXIT_STATUS, WRONG_COMMAND_LINE, UserError, WrongArguments
from litmus.fetch import local

# A verb's module defines `arguments(parser)` and `main(arguments) -> exit status`, and imports no torch at the top.
VERBS = {
    "train": "train a network; the same as python train.py",  # dispatched by __main__: compose is on this floor
    "predict": "predict texts, images or the rows of a table, or forecast a series",
    "filters": "show the filters of a first layer, and the images that excite its units",
    "explain": "say why a network answers as it does: pixels, words, columns, steps",
    "serve": "play with a network in a browser, and ask it by HTTP",
    "lr": "find a learning rate: a short training whose rate grows",
    "doctor": "say what is wrong with a run, why, and what to try",
    "evaluate": "evaluate the best checkpoint of a run on the test split again",
    "verify": "kill and resume a training, and compare it with one that was not killed",
    "report": "make the page of a finished run: curves, confusions, mistakes",
    "compare": "rank the runs of sweeps, with confidence intervals over seeds",
    "export": "write the network of a run for other programs",
    "dashboard": "show runs in TensorBoard",
}
Compose = Callable[[Sequence[str]], Section]  # from overrides to a configuration: see `litmus.compose.single`
HELP = """\
usage: litmus VERB ...

Trains networks, and uses the run folders that training writes.

{verbs}

litmus VERB --help shows the arguments of a verb."""


def main(words: Sequence[str] | None = None, compose: Compose | None = None) -> None:
    """Runs a verb, and exits with its status: 1 for a UserError, 2 for arguments that cannot be read.

    Args:
        words: the verb and its arguments; None takes them from `sys.argv`.
        compose: for the verbs that take overrides, too; `compose` is on this floor.
    """
    verb, *rest = (sys.argv[1:] if words is None else words) or ["--help"]
    if verb in ("-h", "--help"):
        _print(HELP.format(verbs="\n".join(f"  {name:<10} {what}" for name, what in VERBS.items())))
        sys.exit(0)
    if verb == "--version":
        from litmus.console import version

        _print(version())
        sys.exit(0)
    if verb not in VERBS:
        hint = did_you_mean(verb, list(VERBS))
        _refuse(f"litmus: there is no verb {verb}.{hint} Choose one of: {', '.join(VERBS)}.")
    watch()
    defer()
    module = importlib.import_module(f"litmus.cli.{verb}")
    parser = _Parser(f"litmus {verb}", description=module.__doc__, allow_abbrev=False)
    module.arguments(parser)
    own = argparse.Namespace(compose=compose)
    arguments = parser.parse_intermixed_args(rest, own)  # options may stand between a run and its texts
    try:
        local.check_current_folder()
        check_plugins()
    except UserError as error:
        _refuse(f"litmus {verb}: {error}")
    try:
        sys.exit(module.main(arguments))
    except WrongArguments as error:
        _refuse(f"litmus {verb}: {error}")
    except UserError as error:
        sys.exit(_readable(f"litmus {verb}: {error}"))  # on standard error, with status 1
    except OSError as error:  # the disk is full, or a folder may not be entered
        where = f"{error.filename}: " if error.filename else ""
        sys.exit(_readable(f"litmus {verb}: {where}{error.strerror or error}."))
    except KeyboardInterrupt:
        sys.exit(EXIT_STATUS["interrupted"])


def _print(text: str) -> None:
    """Prints it, also where nobody reads it to its end: before torch and Rich, which `litmus.console` brings."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python says so when it ends


class _Parser(argparse.ArgumentParser):
    """Python's, which answers a mistake in a sentence, not with the usage."""

    def error(self, message: str) -> NoReturn:
        _refuse(f"{self.prog}: {message}. {self.prog} --help shows its arguments.")


def _refuse(sentence: str) -> NoReturn:
    print(_readable(sentence), file=sys.stderr)
    sys.exit(WRONG_COMMAND_LINE)


def _readable(sentence: str) -> str:
    from litmus import console  # rich alone takes 20 ms

    text = console.readable(sentence)
    return console.wrapped(text, console.err.width) if console.err.is_terminal else text
