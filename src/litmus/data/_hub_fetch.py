"""Getting datasets of the Hugging Face hub, by the hub's own library, for a copy of them.

The library runs no program of a dataset's any more (datasets 4 removed that), and nothing here asks it to.
"""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import lock_descriptor

from litmus.config.validate import did_you_mean
from litmus.data import _hub_copy
from litmus.data._hub_choice import Choice, choose
from litmus.data._hub_copy import Copy
from litmus.data._hub_write import Splits, kinds_of, reading, write_copy, writing
from litmus.errors import UserError
from litmus.fetch import hub
from litmus.fetch.once import one_at_a_time, to_disk

log = logging.getLogger(__name__)

WRITING, LOCK = ".writing-", "lock"  # a folder that is being written in, and a file in it that is locked meanwhile
UNLOCKED_S = 60  # in which a new folder gets its lock
SAVED = ("dataset_dict.json", "state.json")  # what save_to_disk writes


def copy_of(asked: Choice, cache: Path) -> Copy:
    """The copy of a dataset; it is made if there is none.

    A revision that may have moved, such as a branch's, is looked up again where the hub can be reached.

    Raises:
        UserError: there is no such dataset, configuration, split or column, or no way to get it.
    """
    _hub_copy.check_name(asked.name)
    asked, folder = _hub_copy.located(asked, cache)
    looks_up = asked.may_have_moved and _hub_copy.can_ask()
    if not looks_up and (copy := _hub_copy.find(asked, cache)) is not None:
        return copy
    _hub_copy.check_obtainable(asked, cache)
    with one_at_a_time(cache / _hub_copy.COPIES / asked.name.replace("/", "--")):
        if not looks_up and (copy := _hub_copy.find(asked, cache)) is not None:  # another process has made it
            return copy
        return _fetched(asked, folder, cache)


def _fetched(asked: Choice, folder: Path | None, cache: Path) -> Copy:
    copies = cache / _hub_copy.COPIES
    with writing(copies), locked_folder(copies) as temporary:
        with reading(asked.name):
            datasets = _library()
            if folder is not None and any((folder / name).is_file() for name in SAVED):
                loaded = datasets.load_from_disk(str(folder))
                splits: Splits = loaded if isinstance(loaded, dict) else {"train": loaded}
                exact = asked
            else:
                where = str(folder or asked.name)
                builder = _builder(datasets, asked, where, str(temporary / "library"))
                revision = asked.revision if folder else builder.hash
                exact = replace(asked, config=builder.config.name, revision=revision)
                if (copy := _hub_copy.find(exact, cache)) is not None:  # asked for in other words
                    return _named(copy, asked)
                if builder.info.features and builder.info.splits:  # what is wrong is said before it is downloaded
                    choose(exact, kinds_of(builder.info.features), [*builder.info.splits])
                log.info("data.name=%s: reading %s", asked.name, folder or f"{exact} from the hub")
                builder.download_and_prepare()
                splits = builder.as_dataset()
        own = [temporary, folder or hub.cache_folder()]
        return _kept(asked, exact, splits, temporary / "copy", copies, own)


def _kept(asked: Choice, exact: Choice, splits: Splits, folder: Path, copies: Path, own: Sequence[Path]) -> Copy:
    """A copy of these splits, in its place.

    Args:
        asked: what is asked for.
        exact: the same, with the revision and configuration.
        splits: of the dataset.
        folder: to write into.
        copies: the folder of all copies.
        own: see `write_copy`.
    """
    with reading(asked.name):
        columns = kinds_of(next(iter(splits.values())).features)
    choice = choose(exact, columns, [*splits])
    copy = Copy(copies / _hub_copy.folder_name(choice), asked, choice, columns, [*splits])
    folder.mkdir()
    copy = write_copy(copy, splits, folder, own)
    other = _hub_copy.copy_in(copy.folder)
    if other is not None and other.is_whole():  # of a process that could not be waited for
        return other
    if copy.folder.exists():
        log.warning("%s is damaged, and is made anew.", copy.folder)
        shutil.rmtree(copy.folder, ignore_errors=True)
    folder.rename(copy.folder)
    to_disk(copies)
    for sentence in copy.left_out:
        log.warning("data.name=%s: %s.", choice.name, sentence)
    return copy


def _named(copy: Copy, asked: Choice) -> Copy:
    """The copy, which from now on is also found by the branch that was looked up."""
    if asked.may_have_moved:
        copy = replace(copy, asked=replace(copy.asked, revision=asked.revision))
        with suppress(OSError):  # a cache that can only be read
            copy.write(copy.folder)
    return copy


@contextmanager
def locked_folder(copies: Path) -> Iterator[Path]:
    """A folder to write in, locked as long as the process lives; those of killed processes are removed."""
    copies.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(copies)
    with (
        tempfile.TemporaryDirectory(dir=copies, prefix=WRITING, ignore_cleanup_errors=True) as temporary,
        Path(temporary, LOCK).open("ab") as file,
    ):
        with suppress(OSError):  # a file system without locks
            lock_descriptor(file.fileno())
        yield Path(temporary)


def _remove_abandoned(copies: Path) -> None:
    for path in copies.glob(f"{WRITING}*"):
        with suppress(OSError):  # another process has just removed it, or there are no locks: it may be written in
            if time.time() - path.stat().st_mtime < UNLOCKED_S:
                continue
            with (path / LOCK).open("ab") as file:
                is_abandoned = lock_descriptor(file.fileno(), blocking=False)
            if is_abandoned:
                shutil.rmtree(path, ignore_errors=True)


def _builder(datasets: Any, asked: Choice, where: str, cache: str) -> Any:
    """What the library knows of the dataset before it is downloaded, and downloads it."""
    revision = {} if asked.revision is None or _hub_copy.is_of_files(asked) else {"revision": asked.revision}
    try:
        return datasets.load_dataset_builder(where, asked.config, cache_dir=cache, **revision)
    except ValueError as error:
        names = datasets.get_dataset_config_names(where, **revision)
        if asked.config in names or (asked.config is None and len(names) == 1):
            raise
        hint = did_you_mean(asked.config, names) if asked.config else ""
        problem = f"has no configuration {asked.config}.{hint}" if asked.config else "has several configurations."
        raise UserError(f"data.name={asked.name} {problem} Set data.config to one of: {', '.join(names)}.") from error


def _library() -> Any:
    """The hub's library; it draws bars in a terminal only."""
    import datasets

    datasets.logging.set_verbosity_error()
    if not os.isatty(2):
        datasets.disable_progress_bars()
    return datasets
