"""The pages of a server, and what they load from it."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from litmus import page
from litmus.config.types import Section
from litmus.inference.serve.limits import LARGEST_IMAGES, MOST_ITEMS, SECONDS
from litmus.inference.serve.served import Served
from litmus.page.template import render

PACKAGE = "litmus.inference.serve"
TEMPLATES = Path(__file__).parent / "templates"
MOST_OPTIONS = 500  # of a category that are listed; a text field takes any


def play(runs: Sequence[Served]) -> str:
    """The page to play with."""
    kind = runs[0].kind.name
    columns: dict[str, Section] = {}
    for run in runs:
        columns |= {column["name"]: column for column in run.facts.get("columns", []) if kind == "rows"}
    return render(
        PACKAGE,
        "play.html.jinja",
        runs=[run.facts for run in runs],
        first=runs[0].facts,
        columns=list(columns.values()),
        most_options=MOST_OPTIONS,
        largest=LARGEST_IMAGES,
        data=json.dumps([run.facts for run in runs]),
    )


def docs(run: Served, host: str) -> str:
    """The page that says how programs ask; `host` is the server's, as the reader knows it."""
    option, value = run.kind.example
    return render(
        PACKAGE,
        "docs.html.jinja",
        run=run.facts,
        host=host,
        example=f"{option} {shlex.quote(value)}",
        largest=run.kind.largest,
        most=MOST_ITEMS,
        seconds=SECONDS,
    )


def style() -> str:
    """The look of all pages of Litmus, and what these have beside."""
    own = Path(page.__file__).parent / "templates" / "style.css"
    return own.read_text(encoding="utf-8") + (TEMPLATES / "serve.css").read_text(encoding="utf-8")


def script() -> str:
    """What the page does."""
    return (TEMPLATES / "serve.js").read_text(encoding="utf-8")
