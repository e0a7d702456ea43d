"""The pages of the runs that a comparison's page links, and how to make those that are not there."""

from collections.abc import Sequence
from pathlib import Path

from litmus.config.command import verb_command
from litmus.record.folder import RunDir


def report_command(folders: Sequence[Path]) -> str:
    """What makes the page of the first of some run folders that has none; empty where all have theirs."""
    missing = next((folder for folder in folders if not RunDir(folder).page.is_file()), None)
    return "" if missing is None else verb_command("report", str(missing))
