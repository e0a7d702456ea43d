"""Evaluates a checkpoint of a run, usually the best, on its test split again, from the run folder alone."""

import argparse
import copy
from collections.abc import Sequence

from litmus.cli._loading import loading
from litmus.config.instantiate import value_of
from litmus.config.preflight import data_mistakes
from litmus.config.types import Section
from litmus.config.validate import did_you_mean, mistakes
from litmus.errors import UserError, WrongArguments
from litmus.record.folder import RunDir, finite


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run folder, such as outputs/latest")
    parser.add_argument("changes", metavar="KEY=VALUE", nargs="*", default=[], help="overrides, such as data.dir=/data")
    parser.add_argument(
        "--checkpoint", metavar="NAME", default="best", help="best (the default), last, or the number of an epoch kept"
    )
    parser.add_argument("--json", action="store_true", help="print the metrics as JSON, and nothing else")


def main(arguments: argparse.Namespace) -> int:
    """Prints the metrics beside those in the run's result.json.

    Raises:
        UserError: the folder is not a run folder, or has no checkpoint yet; a key or value is wrong.
    """
    run = RunDir.named(arguments.run)
    own = run.read_config()
    if arguments.checkpoint == "best":
        run.check_best()
    path = run.checkpoint(arguments.checkpoint)
    if wrong := mistakes(own):
        raise UserError("\n".join(wrong))
    config = changed(own, arguments.changes)
    if wrong := mistakes(config):
        raise WrongArguments("\n".join(wrong))
    if wrong := data_mistakes(config, ("data",)):
        raise UserError("\n".join(wrong))
    result = run.read_result() or {}

    from litmus import console

    with console.log_to(None):
        with loading(run, own, arguments.json):
            from litmus.run.evaluate import evaluate
        metrics = evaluate(run, config, arguments.changes, path)
    if arguments.json:
        console.json_line(finite(metrics))
        return 0
    before = result.get("metrics", {})
    rows = [(name, repr(value), repr(before[name]) if name in before else "") for name, value in metrics.items()]
    console.table(("metric", "now", "in result.json"), rows)
    return 0


def changed(config: Section, overrides: Sequence[str]) -> Section:
    """A copy of a configuration with `section.key=value` set; values are read as YAML, numbers as train.py's.

    Raises:
        WrongArguments: an override is not of that form, or the configuration has no such key.
    """
    config = copy.deepcopy(config)
    for override in overrides:
        path, equals, text = override.partition("=")
        *sections, key = path.split(".")
        section: object = config
        for name in sections:
            section = section.get(name) if isinstance(section, dict) else None
        if not equals or not isinstance(section, dict) or key not in section:
            known = list(section if isinstance(section, dict) else config)
            prefix = f"{'.'.join(sections)}." if isinstance(section, dict) and sections else ""
            if not equals:
                raise WrongArguments(f"{override} is not of the form key=value.")
            hint = did_you_mean(key, known, prefix)
            raise WrongArguments(f"There is no key {path} in the run's configuration.{hint}")
        if isinstance(section[key], dict):
            raise WrongArguments(f"{path} is a group of keys: set one of them, as in {path}.key=value.")
        try:
            section[key] = value_of(text)
        except Exception as error:  # PyYAML's constructors raise whatever a scalar makes them stumble over
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise WrongArguments(f"{override} cannot be read: {reason}.") from None
    return config
