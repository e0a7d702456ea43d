"""`litmus VERB ...`: what one does with run folders. A verb is a module of its own name, imported when used."""

import argparse
import importlib
import sys

from litmus.config.validate import did_you_mean
from litmus.errors import UserError

# What a verb's module offers: `arguments(parser)` and `main(arguments) -> exit status`, without torch at the top.
VERBS = {
    "train": "train a network: as python train.py",
    "predict": "ask a network about texts or pictures",
    "evaluate": "measure a run's best weights on the test set again",
    "compare": "rank the runs of sweeps, with intervals over seeds",
    "export": "write a run's network for other programs",
    "dashboard": "look at runs in TensorBoard",
}
HELP = """\
usage: litmus VERB ...

Trains networks, and works with the folders that training writes.

{verbs}

litmus VERB --help says what a verb takes."""


def main(words: list[str] | None = None) -> None:
    """The console command; exits with the verb's status, 1 for a mistake, 2 for a wrong command line."""
    verb, *rest = (sys.argv[1:] if words is None else words) or ["--help"]
    if verb in ("-h", "--help"):
        print(HELP.format(verbs="\n".join(f"  {name:<10} {what}" for name, what in VERBS.items())))
        sys.exit(0)
    if verb not in VERBS:
        hint = did_you_mean(verb, list(VERBS))
        print(f"litmus: there is no verb {verb}.{hint} There are: {', '.join(VERBS)}.", file=sys.stderr)
        sys.exit(2)
    module = importlib.import_module(f"litmus.cli.{verb}")
    parser = argparse.ArgumentParser(f"litmus {verb}", description=module.__doc__)
    module.arguments(parser)
    arguments = parser.parse_intermixed_args(rest)  # options may stand between a run and its texts
    try:
        sys.exit(module.main(arguments))
    except UserError as refused:
        sys.exit(f"litmus {verb}: {refused}")
    except KeyboardInterrupt:
        sys.exit(130)
