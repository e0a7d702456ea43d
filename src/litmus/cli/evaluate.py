"""Measures a run's best weights on its test set again, from the run folder alone."""

import argparse
import json
from typing import Any

import yaml

from litmus.config.validate import did_you_mean
from litmus.errors import UserError
from litmus.record.folder import RunDir, finite


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds this verb's arguments."""
    parser.add_argument("run", metavar="RUN", help="a run folder, such as outputs/latest")
    parser.add_argument("changes", metavar="KEY=VALUE", nargs="*", help="what to change, such as data.dir=/data")
    parser.add_argument("--json", action="store_true", help="print the metrics as JSON, and nothing else")


def main(arguments: argparse.Namespace) -> int:
    """Prints the metrics beside those that the run itself had reached.

    Raises:
        UserError: the folder is no run's, or has no weights yet; a key or value is wrong.
    """
    run = RunDir(arguments.run)
    config = changed(run.read_config(), arguments.changes)
    result = run.read_result() or {}

    from litmus import console
    from litmus.run.evaluate import evaluate

    with console.log_to(None):
        metrics = evaluate(run, config, arguments.changes)
    if arguments.json:
        print(json.dumps(finite(metrics), allow_nan=False))
        return 0
    then = result.get("metrics", {})
    rows = [(name, repr(value), repr(then[name]) if name in then else "") for name, value in metrics.items()]
    console.table(("metric", "now", "in result.json"), rows)
    return 0


def changed(config: dict[str, Any], changes: list[str]) -> dict[str, Any]:
    """The configuration with `section.key=value` set; values are read as YAML.

    Raises:
        UserError: a change is not of that form, or names a key that the configuration does not have.
    """
    for change in changes:
        path, equals, text = change.partition("=")
        *sections, key = path.split(".")
        holder: Any = config
        for section in sections:
            holder = holder.get(section) if isinstance(holder, dict) else None
        if not equals or not isinstance(holder, dict) or key not in holder:
            known = list(holder) if isinstance(holder, dict) else list(config)
            prefix = f"{'.'.join(sections)}." if isinstance(holder, dict) and sections else ""
            raise UserError(f"There is no key {path} in the run's configuration.{did_you_mean(key, known, prefix)}")
        holder[key] = yaml.safe_load(text)
    return config
