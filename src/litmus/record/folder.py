"""The run folder: what its files are called, and reading and writing them whole or not at all."""

import csv
import io
import json
import logging
import math
import os
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import UnionType

from litmus.config.command import train_command
from litmus.config.keys import GROUPS
from litmus.config.types import Section
from litmus.config.validate import override
from litmus.errors import UserError, first_line
from litmus.fetch import local
from litmus.record.configuration import from_yaml, to_yaml
from litmus.record.files import LARGEST_TEXT, lock, write_text

log = logging.getLogger(__name__)

CONFIG = "config.yaml"
REQUESTED = "requested.yaml"  # the configuration before anything followed from data and device
EARLIER_REQUESTED = "asked.yaml"  # as versions up to 0.1.0 called it
CONFIGS = (CONFIG, REQUESTED, EARLIER_REQUESTED)  # of which a run has at least one, the first that is there counts
RESULT = "result.json"
METRICS = "metrics.csv"
HEALTH = "health.json"  # of each layer, by epoch
PAGE = "report.html"
PICTURES = "pictures"  # of the page
OF_CLASSES = ("confusion.csv", "per_class.csv")
ENVIRONMENT = "environment.json"
TRACKING = "tracking.json"  # under which ids other programs know the run
TRACKING_ID = r"[\w-]{1,64}"
# What is read of that file again; a run folder may come from elsewhere.
KINDS_OF_ENVIRONMENT: dict[str, type | UnionType] = {
    "commands": list,
    "packages": dict,
    "variables": dict,
    "git": dict | None,
    "slurm_job": str | None,
}
KINDS_OF_RESULT: dict[str, type | UnionType] = {
    "status": str,
    "metrics": dict,
    "dataset": dict | None,
    "git": dict | None,
    "versions": dict | None,
    "changes": list | None,
    "rollbacks": list | None,
    "seconds": dict | None,
}
_WITHOUT_RESULT = "Without that file, the run counts as one that has not ended, and can be resumed."
LOG = "train.log"
LOCK = ".lock"  # on Windows only
CHECKPOINTS = "checkpoints"
LAST_LINES = 15  # of a log, that are shown of a failure
LAST_BYTES = 16_000  # in which they are looked for
ENDED = ("finished", "pruned", "diverged")  # statuses of runs that a sweep does not run again
BEST = "best"
LAST = "last"
ROLLBACK = "rollback"
EPOCHS = "epoch-*.ckpt"  # files of the best epochs: see `callback.checkpoint.top_k`


class RunDir:
    """A run's folder."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def named(cls, name: str | os.PathLike[str]) -> "RunDir":
        """The run of a folder that somebody typed: of that itself, where a link such as `outputs/latest` leads to it.

        Another run may start meanwhile, and be the latest then.
        """
        return cls(local.without_links(local.expand(os.fspath(name))))

    @property
    def checkpoints(self) -> Path:
        return self.path / CHECKPOINTS

    @property
    def best(self) -> Path:
        """The checkpoint of the best epoch by the monitored metric."""
        return self.checkpoints / f"{BEST}.ckpt"

    @property
    def last(self) -> Path:
        """The checkpoint of the last whole epoch."""
        return self.checkpoints / f"{LAST}.ckpt"

    @property
    def rollback(self) -> Path:
        """The checkpoint that `trainer.on_divergence=rollback` goes back to: of the last epoch's end."""
        return self.checkpoints / f"{ROLLBACK}.ckpt"

    def checkpoint(self, name: str) -> Path:
        """A checkpoint by its name, or the number of its epoch.

        Args:
            name: `best`, `last`, `3`, or the name of a file, with its ending or without.

        Raises:
            UserError: there is none, or there are several.
        """
        there = sorted([*self.checkpoints.glob(EPOCHS), *(path for path in (self.best, self.last) if path.is_file())])
        found = [
            path
            for path in there
            if name in (path.name, path.stem) or (name.isdecimal() and path.name.startswith(f"epoch-{int(name):03d}_"))
        ]
        if len(found) != 1:
            names = ", ".join(path.stem for path in there)
            raise UserError(
                f"{self.path} has no checkpoint {name}. "
                + (f"It has: {names}." if names else "It has none.")
                + " callback.checkpoint.top_k keeps those of the best epochs."
            )
        return found[0]

    def has_kept(self) -> bool:
        """Whether there is, or was, a checkpoint to resume from: more than the network before its training."""
        if self.last.is_file():
            return True
        rows = self.whole_metrics()
        return bool(rows[-1]["epoch"]) if rows else self.best.is_file()

    @property
    def log(self) -> Path:
        return self.path / LOG

    def check_best(self) -> None:
        """Checks that there is a checkpoint of the best epoch.

        Raises:
            UserError: there is none.
        """
        if self.best.is_file():
            return
        if not self.whole_metrics():
            raise UserError(f"{self.path} has no {self.best.relative_to(self.path)}: no epoch was finished.")
        is_finished = (self.read_result() or {}).get("status") == "finished"
        key, what = ("reproduce", "train the run again") if is_finished else ("resume", "train on")
        raise UserError(
            f"{self.best} is missing, so the weights of the best epoch are lost. To {what}: "
            f"{train_command(override(key, str(self.path)))}"
        )

    def remove(self, outputs: Path) -> None:
        """Deletes the run, and the folders of `outputs` that it leaves empty."""
        shutil.rmtree(self.path, ignore_errors=True)
        inside = self.path.resolve().is_relative_to(outputs.resolve())
        for folder in self.path.parents if inside else ():
            if not folder.resolve().is_relative_to(outputs.resolve()):
                break
            with suppress(OSError):  # it holds other runs
                folder.rmdir()

    def remove_temporaries(self) -> None:
        """Deletes what killed processes were writing; called with the folder locked."""
        for folder in (self.path, self.checkpoints):
            written = (*CONFIGS, RESULT, METRICS, ENVIRONMENT, TRACKING, PAGE, *OF_CLASSES)
            for name in (*written, *(f"{name}.ckpt" for name in (BEST, LAST, ROLLBACK))):
                for path in folder.glob(f".{name}-*"):
                    path.unlink(missing_ok=True)
        for path in self.checkpoints.glob(f".{EPOCHS}-*"):
            path.unlink(missing_ok=True)
        for path in (self.path / PICTURES).glob(".*.png-*"):
            path.unlink(missing_ok=True)

    @property
    def diverged(self) -> Path:
        """The batch with which a training diverged: inputs, targets, and the step."""
        return self.path / "diverged.pt"

    def rank_log(self, rank: int) -> Path:
        """The log of one of several processes that train together; that of the first is the run's."""
        return self.log if rank == 0 else self.path / f"rank_{rank}.log"

    def remove_empty_rank_logs(self) -> None:
        """Of processes that had nothing to say."""
        for path in self.path.glob("rank_*.log"):
            if path.stat().st_size == 0:
                path.unlink()

    def last_lines(self, rank: int = 0) -> list[str]:
        """The last lines of a log, without what only a terminal understands; none, where it cannot be read."""
        try:
            with self.rank_log(rank).open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - LAST_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return []
        lines = text.rstrip().splitlines()[-LAST_LINES:]
        return ["".join(letter for letter in line if letter.isprintable() or letter == "\t") for line in lines]

    def claim(self, requested: Section) -> None:
        """Takes a folder for a new run, and writes down what is requested; called with the folder locked.

        Raises:
            UserError: another run lives there.
        """
        if any((self.path / name).exists() for name in (*CONFIGS, RESULT)):
            raise UserError(
                f"{self.path} already holds a run. Resume it with {shlex.quote(override('resume', str(self.path)))}, "
                "or choose another folder."
            )
        self.write_requested(requested)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """In the body, no other process trains in this folder.

        Raises:
            UserError: another process does.
        """
        # The log is there anyway. Windows, though, keeps everybody else from reading and writing what is locked.
        path = self.path / LOCK if os.name == "nt" else self.log
        self.path.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            if not lock(file.fileno()):
                raise UserError(f"{self.path} is being trained by another process.")
            yield

    def is_locked(self) -> bool:
        """Whether a process trains in this folder."""
        path = self.path / LOCK if os.name == "nt" else self.log
        with suppress(FileNotFoundError), path.open("rb+") as file:
            return not lock(file.fileno())
        return False

    def write_config(self, config: Section, only_if_missing: bool = False) -> None:
        """Writes the resolved configuration: once, when it is known, and again only when a run is resumed."""
        if not (only_if_missing and (self.path / CONFIG).is_file()):
            write_text(self.path / CONFIG, to_yaml(config))

    def has_config(self) -> bool:
        """Whether a run has begun here."""
        return any((self.path / name).is_file() for name in CONFIGS)

    def read_config(self) -> Section:
        """The run's configuration, plain values; as requested, where it ended before its data was prepared.

        Raises:
            UserError: the folder is not a run's, or the file is damaged.
        """
        kind = local.kind_of(self.path)
        if kind == "file":
            raise UserError(f"{self.path} is a file; a run is a folder, such as outputs/latest.")
        if kind != "folder":
            newest = Path("outputs") / self.path
            hint = f" Did you mean {newest}?" if local.kind_of(newest) == "folder" else ""
            raise UserError(f"There is no folder {self.path}.{hint}")
        path = next((self.path / name for name in CONFIGS if (self.path / name).is_file()), None)
        if path is None:
            if first := next((each for each in sorted(self.path.iterdir()) if RunDir(each).has_config()), None):
                raise UserError(f"{self.path} holds several runs. Name one of them, such as {first}.")
            raise UserError(f"{self.path} is not a run folder: it has no {CONFIG}. Name one, such as outputs/latest.")
        config = from_yaml(path)
        for group in GROUPS:
            if not _is_component(config.get(group)):
                raise UserError(f"{path} is not a run's configuration: it has no {group}.")
        loggers = config.get("logger")
        if not isinstance(loggers, dict) or not all(own is None or _is_component(own) for own in loggers.values()):
            raise UserError(f"{path} is not a run's configuration: it has no logger.")
        return config

    def write_requested(self, config: Section) -> None:
        write_text(self.path / REQUESTED, to_yaml(config))

    def read_requested(self) -> Section | None:
        """The configuration as it was requested, or None where an earlier version did not store it.

        Raises:
            UserError: the file is damaged.
        """
        path = next((self.path / name for name in (REQUESTED, EARLIER_REQUESTED) if (self.path / name).is_file()), None)
        return None if path is None else from_yaml(path)

    @property
    def page(self) -> Path:
        """What there is to see of a run that has ended."""
        return self.path / PAGE

    def remove_result(self) -> None:
        """Deletes the result of a run that is about to be resumed, and the page that shows it."""
        (self.path / RESULT).unlink(missing_ok=True)
        self.page.unlink(missing_ok=True)

    def write_result(self, result: Section) -> None:
        write_text(self.path / RESULT, json.dumps(finite(result), indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def read_result(self) -> Section | None:
        """What the run reached, or None if it has not ended.

        Raises:
            UserError: the file is damaged.
        """
        path = self.path / RESULT
        if not path.is_file():
            return None
        try:
            result = json.loads(local.read_bytes(path, LARGEST_TEXT))
        except OSError as error:
            raise UserError(f"{path} cannot be read: {local.reason(error)}.") from None
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path} is damaged ({first_line(error)}). {_WITHOUT_RESULT}") from None
        whole = isinstance(result, dict) and all(
            isinstance(result.get(name), kind) for name, kind in KINDS_OF_RESULT.items()
        )
        if not whole or not all(_is_change(each) for each in result.get("changes") or []):
            raise UserError(f"{path} is damaged: it holds no result. {_WITHOUT_RESULT}")
        return result

    def write_health(self, health: Section) -> None:
        """Writes what was measured of the layers and the data: see `litmus.doctor.evidence`."""
        write_text(self.path / HEALTH, json.dumps(_without_nan(health), allow_nan=False) + "\n")

    def read_health(self) -> Section | None:
        """Of each of `layers` what was measured, by `epochs`, in lists parallel to them; None where it is not known."""
        try:
            health = json.loads(local.read_bytes(self.path / HEALTH, LARGEST_TEXT))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            health = None
        lists = [health.get(name) for name in ("layers", "epochs")] if isinstance(health, dict) else [None]
        if not all(isinstance(own, list) and all(isinstance(each, dict) for each in own) for own in lists):
            log.warning("%s is damaged, and not used.", self.path / HEALTH)
            return None
        return health

    def write_environment(self, environment: Section, code_diff: str) -> None:
        """Writes down where the run is computed, and how its code differs from its commit, if it does.

        Args:
            environment: its `commands` are all that the folder's run was started and resumed with.
            code_diff: as git shows it; its file is named by the sha256 that `git` has in environment and result.
        """
        commands = [*(self.read_environment() or {}).get("commands", []), environment["command"]]
        text = json.dumps({**environment, "commands": commands}, indent=2, ensure_ascii=False)
        write_text(self.path / ENVIRONMENT, text + "\n")
        if code_diff:
            write_text(self.path / f"code-{environment['git']['diff'][:8]}.diff", code_diff)

    def read_environment(self) -> Section | None:
        """Where the run was computed last; None where that is not known."""
        try:
            environment = json.loads((self.path / ENVIRONMENT).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError):
            environment = None
        if not isinstance(environment, dict) or not _is_environment(environment):
            log.warning("%s is damaged, and not used.", self.path / ENVIRONMENT)
            return None
        return environment

    def write_tracking(self, program: str, run_id: str) -> None:
        """Writes down under which id a program, such as "mlflow", knows the run."""
        text = json.dumps({**self.read_tracking(), program: run_id}, indent=2)
        write_text(self.path / TRACKING, text + "\n")

    def read_tracking(self) -> dict[str, str]:
        """The run's ids, by the program; empty where none is known."""
        try:
            ids = json.loads(local.read_bytes(self.path / TRACKING, LARGEST_TEXT))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError):
            ids = None
        if not isinstance(ids, dict) or not all(re.fullmatch(TRACKING_ID, str(each)) for each in ids.values()):
            log.warning("%s is damaged, and not used.", self.path / TRACKING)
            return {}
        return {str(program): str(run_id) for program, run_id in ids.items()}

    def write_metrics(self, rows: list[Section]) -> None:
        """One row per epoch; the columns are all that any row has."""
        columns = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text(self.path / METRICS, text.getvalue())

    def read_metrics(self) -> list[Section]:
        """The rows so far, numbers as numbers; none if there is no file.

        Raises:
            UserError: the file is damaged.
        """
        rows, damaged = self._rows()
        if damaged:
            raise UserError(f"{self.path / METRICS} is damaged after {len(rows)} epochs.")
        return rows

    def whole_metrics(self) -> list[Section]:
        """As `read_metrics`, and of a damaged file the rows before that: the checkpoint of a run has them all."""
        rows, damaged = self._rows()
        if damaged:
            log.warning("%s is damaged after %d epochs.", self.path / METRICS, len(rows))
        return rows

    def _rows(self) -> tuple[list[Section], bool]:
        """The rows before any damage, and whether there is any; a last line without its end was cut."""
        path = self.path / METRICS
        rows: list[Section] = []
        if not path.is_file():
            return rows, False
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
        whole = [line for line in lines if line.endswith("\n")]
        try:
            for row in csv.DictReader(whole):
                rows += [{name: _number(value) for name, value in row.items()}]
        except (csv.Error, ValueError, TypeError, AttributeError):
            return rows, True
        return rows, len(whole) < len(lines)

    def point_latest(self, outputs: Path) -> None:
        """Makes `<outputs>/latest` point to this run, if the run lies in that folder."""
        if not self.path.resolve().is_relative_to(outputs.resolve()):
            return
        link = outputs / f".latest-{os.getpid()}"
        with suppress(OSError):  # a file system without links: a convenience less, nothing lost
            link.symlink_to(os.path.relpath(self.path.resolve(), outputs.resolve()), target_is_directory=True)
            link.replace(outputs / "latest")


def _is_component(section: object) -> bool:
    return isinstance(section, dict) and "_target_" in section


def _is_environment(content: Section) -> bool:
    if not all(isinstance(content.get(name), kind) for name, kind in KINDS_OF_ENVIRONMENT.items()):
        return False
    git = content["git"] or {}
    texts = (*content["commands"], *content["packages"].values())
    return all(isinstance(text, str) for text in texts) and all(
        isinstance(git.get(name), str | None) for name in ("commit", "diff")
    )


def _is_change(content: object) -> bool:
    return isinstance(content, dict) and isinstance(content.get("key"), str) and isinstance(content.get("step"), int)


def _without_nan(value: object) -> object:
    """As `finite`, in lists, too."""
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return finite(value)


def finite(value: object) -> object:
    """The same, with None for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _number(text: str) -> float | int | None:
    if text == "":
        return None
    value = float(text)
    return int(value) if text.lstrip("-").isdigit() else value
