"""`litmus VERB ...`: what one does with run folders. A verb is a module of its own name, imported when used."""

import argparse
import importlib
import sys

from litmus.check import Refused

# What a verb's module offers: `arguments(parser)` and `main(arguments) -> exit status`, without torch at the top.
VERBS = {
    "dashboard": "look at runs in TensorBoard",
    "predict": "ask a run's network about texts",
    "export": "write a run's network for other programs",
    "evaluate": "measure a run's best weights on the test set again",
}


def main(words: list[str] | None = None) -> None:
    """The console command; exits with the verb's status, 1 for a mistake, 2 for a wrong command line."""
    parser = argparse.ArgumentParser("litmus", description="What one does with the folders that train.py writes.")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, what in VERBS.items():
        module = importlib.import_module(f"litmus.{verb}")
        module.arguments(verbs.add_parser(verb, help=what, description=module.__doc__))
    arguments = parser.parse_args(words)
    try:
        sys.exit(importlib.import_module(f"litmus.{arguments.verb}").main(arguments))
    except Refused as refused:
        sys.exit(f"litmus {arguments.verb}: {refused}")
    except KeyboardInterrupt:
        sys.exit(130)
