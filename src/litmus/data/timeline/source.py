"""Where a series comes from: a file of the user's, or the sunspots."""

from pathlib import Path
from typing import TYPE_CHECKING

from litmus.config.types import Section
from litmus.data.timeline.read import Roles, Timeline, from_frame, read
from litmus.errors import UserError
from litmus.fetch import local
from litmus.fetch.package import SourceUnavailable, package_file, sha256_of

if TYPE_CHECKING:
    import polars as pl

# Yearly mean sunspot numbers, 1700 to 2008, as statsmodels ships them; the cycle is about 11 years long.
SUNSPOTS = ("statsmodels", "datasets", "sunspots", "sunspots.csv")
SUNSPOTS_SHA256 = "f67889b1d9002cd5227f0e0ef54e35b419cdd85a31279adef6f73fb41e5c0a9b"


def locate(path: str | None) -> Path:
    """The file of `data.path`; that of the sunspots, if there is none.

    Raises:
        UserError: the sunspots are not installed.
    """
    return _sunspots() if path is None else local.expand(path)


def read_series(settings: Section, given: "Path | pl.DataFrame | None" = None) -> Timeline:
    """The series of a file, or of a table in memory.

    Args:
        settings: the section `data` of a configuration, of `data=series`.
        given: a file or a table with the same columns; None reads the file that the settings name.

    Raises:
        UserError: it cannot be read.
    """
    is_sunspots = settings["path"] is None and given is None
    column = "SUNACTIVITY" if is_sunspots else settings["column"]
    roles = Roles(column, settings["time"], settings["group"], tuple(settings["inputs"]), tuple(settings["known"]))
    if given is not None and not isinstance(given, Path):
        return from_frame(given, roles, Path("The table"))
    where = locate(settings["path"]) if given is None else given
    how = {key: settings[key] for key in ("encoding", "separator", "thousands")}
    return read(where, roles, **how)


def _sunspots() -> Path:
    try:
        path = package_file(*SUNSPOTS)
    except SourceUnavailable as reason:
        raise UserError(f"data=series cannot read the sunspots: {reason} Set data.path to a table of yours.") from None
    if (found := sha256_of(path)) != SUNSPOTS_SHA256:
        raise UserError(f"{path} is not the file that statsmodels ships (its sha256 is {found}).")
    return path
