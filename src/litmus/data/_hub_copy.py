"""Copies of the Hugging Face hub's datasets: what is in one, and which there are on this machine.

A copy is a folder in litmus' cache, of files as people have them: rows as JSON lines, or a folder of images for each
class. Reading one needs neither a network nor the hub's library.
"""

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from litmus.config.protocols import Split
from litmus.config.types import Section
from litmus.data._classes import list_some
from litmus.data._hub_choice import FILES, FIXED, USUAL_CONFIG, Choice, Kind, choose, listed, require
from litmus.errors import UserError
from litmus.fetch import hub, local
from litmus.fetch.package import sha256_of

VERSION = 1  # of how copies are written: another number makes them anew
FACTS, IMAGES = "facts.json", "images"
COPIES, OWN = "hub-copies", "hub"  # folders in the cache: of copies, and of what the user put there
NAME = r"\w[\w.-]*(/\w[\w.-]*)?"


@dataclass(frozen=True)
class Copy:
    """A copy, as its `facts.json` describes it.

    Attributes:
        folder: that holds it.
        asked: what was asked for when it was made, or looked up last.
        choice: what it is of.
        columns: the kind of each column that it has.
        offered: the dataset's own names of all its splits.
        sizes: of each split that it has: bytes of rows, or number of images. A split without labels is none.
        left_out: sentences on what it does not have.
    """

    folder: Path
    asked: Choice
    choice: Choice
    columns: dict[str, Kind]
    offered: list[str]
    sizes: dict[Split, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    @property
    def splits(self) -> list[Split]:
        """Those that it has."""
        return [*self.sizes]

    def is_whole(self) -> bool:
        """Whether it still has all that was written: a disk may lose some, and who copies it may be interrupted."""
        return all(size_in(self.folder, split) >= size for split, size in self.sizes.items())

    def path(self, split: Split) -> str | None:
        """The file of a split's rows, or None if the copy has no such split."""
        return str(self.folder / f"{split}.jsonl") if split in self.sizes else None

    @property
    def has_classes(self) -> bool:
        """Whether the dataset itself says that the target is one of some classes."""
        return [self.columns.get(name) for name in self.choice.targets] == ["class"]

    @property
    def has_labels(self) -> bool:
        """Whether a sample has any number of them."""
        return any(self.columns.get(name) == "classes" for name in self.choice.targets)

    def answers(self, asked: Choice) -> bool:
        """Whether it is what is asked for: with what nobody asked for found by its columns, as when it was made.

        Without a revision any of the hub is; not files of a folder that is not there.
        """
        own, config, revision = self.choice, asked.config, asked.revision
        if config is None and (self.asked.config is None or own.config == USUAL_CONFIG):
            config = own.config
        if revision == self.asked.revision or (revision is None and not is_of_files(own)):
            revision = own.revision
        try:
            return choose(replace(asked, config=config, revision=revision), self.columns, self.offered) == own
        except UserError:  # it has no such column, say
            return False

    def write(self, folder: Path) -> None:
        """Writes the facts into a folder, whole or not at all."""
        facts = {"version": VERSION, "asked": asdict(self.asked), "choice": asdict(self.choice)}
        facts |= {"columns": self.columns, "offered": self.offered, "sizes": self.sizes, "left_out": self.left_out}
        temporary = folder / f".{FACTS}-{os.getpid()}"
        temporary.write_text(json.dumps(facts, indent=1))
        temporary.replace(folder / FACTS)


# Keys that are for some forms only; and those that name columns beside those of a copy's choice.
ONLY_OF: Mapping[str, Sequence[str]] = {
    "text": ("texts",),
    "kind": ("texts", "table"),
    "group": ("texts", "table"),
    **dict.fromkeys(("numeric", "categorical", "ignore"), ("table",)),
    **dict.fromkeys(("image", "size", "colours", "augment", "flip"), ("images",)),
}
COLUMNS = ("group", "numeric", "categorical", "ignore")


def find(asked: Choice, cache: Path) -> Copy | None:
    """The copy that is what is asked for, the newest of several; none that is damaged."""
    copies = [copy for copy in all_copies(cache) if copy.answers(asked) and copy.is_whole()]
    return max(copies, key=lambda copy: (copy.folder / FACTS).stat().st_mtime_ns, default=None)


def all_copies(cache: Path) -> list[Copy]:
    """Every copy in a cache that this version can read."""
    return [copy for path in (cache / COPIES).glob(f"[!.]*/{FACTS}") if (copy := copy_in(path.parent)) is not None]


def copy_in(folder: Path) -> Copy | None:
    """The copy in a folder; None if there is none, or one that is damaged or of another version: it is made anew."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        facts = json.loads((folder / FACTS).read_bytes())
        asked, choice = Choice(**facts["asked"]), Choice(**facts["choice"])
        if facts["version"] == VERSION:
            return Copy(folder, asked, choice, *(facts[key] for key in ("columns", "offered", "sizes", "left_out")))
    return None


def size_in(folder: Path, split: Split) -> int:
    """Bytes of the split's rows that are in the folder, or the number of its images."""
    rows = folder / f"{split}.jsonl"
    return rows.stat().st_size if rows.is_file() else sum(len(names) for *_, names in os.walk(folder / IMAGES / split))


def folder_name(choice: Choice) -> str:
    """Of a copy: the dataset's name, and a hash of all that the copy is of."""
    digest = hashlib.sha256(json.dumps([VERSION, asdict(choice)], sort_keys=True).encode()).hexdigest()
    return f"{choice.name.replace('/', '--')}-{digest[:16]}"


def is_of_files(choice: Choice) -> bool:
    """Whether the revision is of files of the user's, not of the hub."""
    return choice.revision is not None and choice.revision.startswith(FILES)


def own_folder(asked: Choice, cache: Path) -> Path | None:
    """The folder of the user's that holds the dataset, if there is one."""
    folder = cache / OWN / asked.name
    return folder if local.kind_of(folder) == "folder" else None


def own_revision(folder: Path, copies: Path) -> str:
    """What tells a folder's files from others: their names and contents, on whatever machine.

    Args:
        folder: of the user's.
        copies: where it is kept, so that files are read again only if names, sizes or times have changed.

    Raises:
        UserError: a file cannot be read.
    """
    try:
        paths = sorted(path for path in folder.rglob("*") if path.is_file() and not _is_hidden(path, folder))
        names = [path.relative_to(folder).as_posix() for path in paths]
        stats = [path.stat() for path in paths]
        seen = _digest([f"{name}\0{s.st_size}\0{s.st_mtime_ns}" for name, s in zip(names, stats, strict=True)])
        kept = copies / f".files-{seen}"
        with suppress(OSError):
            if re.fullmatch(FIXED, revision := kept.read_text()):
                return revision
        contents = [f"{name}\0{sha256_of(path)}" for name, path in zip(names, paths, strict=True)]
    except OSError as error:
        raise UserError(f"{error.filename or folder} cannot be read: {local.reason(error)}.") from None
    revision = FILES + _digest(contents)
    with suppress(OSError):  # a cache that can only be read
        copies.mkdir(parents=True, exist_ok=True)
        kept.write_text(revision)
    return revision


def _is_hidden(path: Path, folder: Path) -> bool:
    return any(local.is_hidden(Path(part)) for part in path.relative_to(folder).parts)


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "replace")).hexdigest()[:12]


def located(asked: Choice, cache: Path) -> tuple[Choice, Path | None]:
    """What is asked for, with the revision of a folder of the user's; and that folder, where it is to be read.

    Raises:
        UserError: the revision is of files that are neither there nor copied.
    """
    folder, of_files = own_folder(asked, cache), is_of_files(asked)
    if folder is None and of_files and find(asked, cache) is None:  # the hub has other files of that name
        raise UserError(
            f"The files of data.revision={asked.revision} are not in {cache / OWN / asked.name}, and {cache / COPIES} "
            f"has no copy of them. Put them back, or bring {COPIES}/ from the machine that has it; without "
            "data.revision, the hub's are taken."
        )
    if folder is None or (asked.revision is not None and not of_files):
        return asked, None
    now = own_revision(folder, cache / COPIES)
    if asked.revision not in (None, now) and find(asked, cache) is None:
        raise UserError(
            f"The files in {folder} are not those of data.revision={asked.revision}: they are {now} now. Put those "
            "back, or leave data.revision out."
        )
    return replace(asked, revision=asked.revision or now), folder


def check_name(name: str) -> None:
    """Checks that a dataset on the hub may be called so.

    Raises:
        UserError: it may not.
    """
    if not re.fullmatch(NAME, name, re.ASCII) or ".." in name:
        raise UserError(
            f"data.name={name} is no name on the hub, such as imdb or owner/name. A folder of files of your own is "
            f"read as it is: data=table, data=text_table or data=image_folder with data.path={name}."
        )


def can_ask() -> bool:
    """Whether the hub can be asked: its library is there, and a network."""
    return is_installed() and hub.reachable()


def is_installed() -> bool:
    """Whether the hub's library is there."""
    found = importlib.util.find_spec("datasets")
    return found is not None and found.origin is not None  # a folder of that name is no package


def check_keys(settings: Section, copy: Copy) -> None:
    """Checks the settings that are for some data only: the copy is such, and has the columns that they name.

    Raises:
        UserError: it has not.
    """
    form, columns = str(copy.choice.form), copy.columns
    if settings["folds"] is not None and "val" in copy.splits:
        raise UserError(
            f"data.folds={settings['folds']} validates on training samples, but data.name={copy.choice.name} has the "
            f"split {copy.choice.val_split} for that. data.val_split=none leaves it out."
        )
    for key, forms in ONLY_OF.items():
        value = settings[key]
        if value in (None, "auto", "none", []):
            continue
        if form not in forms:
            raise UserError(
                f"data.{key} is for {' or '.join(forms)}, but data.name={copy.choice.name} is read as {form}. Leave it "
                "out, or set data.form."
            )
        if key in COLUMNS:
            for name in [value] if isinstance(value, str) else value:
                require(f"data.{key}", name, columns, f"{copy.choice.name} has no column", listed(columns))


def check_obtainable(asked: Choice, cache: Path) -> None:
    """Checks that a dataset of which there is no copy can be had: the library is there, and the files or a network.

    Raises:
        UserError: it cannot.
    """
    if not is_installed():
        raise UserError("data=hub requires the package datasets. Run pip install 'litmus[hub]'.")
    _, folder = located(asked, cache)
    if folder is None and not hub.reachable():
        raise UserError(_unreachable(asked, cache))


def _unreachable(asked: Choice, cache: Path) -> str:
    """What was tried, and what helps."""
    offline = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("HF_DATASETS_OFFLINE")
    why = "HF_HUB_OFFLINE forbids to ask the hub" if offline else "the hub cannot be reached"
    copies = [copy for copy in all_copies(cache) if copy.choice.name == asked.name]
    others = [f"{copy.choice}{'' if copy.is_whole() else ', but damaged'}" for copy in copies]
    here = f" Copies here are of {list_some(others, '; ')}." if others else ""
    return (
        f"data.name={asked.name}: {why}, there is no folder {cache / OWN / asked.name}, and {cache / COPIES} has no "
        f"copy of {asked}.{here} Put the dataset's files into that folder, or what its save_to_disk writes; or bring "
        f"{COPIES}/ from a machine with a network. data.dir names another folder than {cache}."
    )
