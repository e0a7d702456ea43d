"""What a checkpoint holds besides Lightning's own entries; nobody else knows its format.

A checkpoint is Lightning's dictionary with entries of ours, all plain values and tensors, so that it loads with
`weights_only=True`: `spec`, `model`, `sha256`, `seen`, `trained_with`, `changes`, for detectors `min_score`, for
forecasters `errors`. The task is a Lightning module whose network is called `net`: its tensors are the entries of
`state_dict` that begin so.
"""

import logging
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType

import torch
from torch import Tensor

from litmus.config.instantiate import settings
from litmus.config.keys import identity, key_of
from litmus.config.protocols import Data, Net
from litmus.config.types import Section
from litmus.config.validate import section_mistakes, shown
from litmus.console import readable
from litmus.errors import UserError, first_line
from litmus.record.command import command_of
from litmus.record.files import replacing
from litmus.record.folder import RunDir
from litmus.spec import Spec

log = logging.getLogger(__name__)

PREFIX = "net."  # of the network's tensors in a task's state
# What the entries are, Lightning's among them: a file may come from elsewhere.
KINDS: dict[str, type | UnionType] = {
    "spec": dict,
    "state_dict": dict,
    "model": dict,
    "sha256": dict | None,
    "seen": Tensor | None,
    "min_score": float | None,
    "errors": Tensor | None,
    "trained_with": dict | None,
    "changes": list,
    "epoch": int,
    "global_step": int,
    "loops": dict,
    "callbacks": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
}


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint of a run.

    Attributes:
        spec: what the network takes and predicts.
        model: settings by which the network is rebuilt without the files that it was made of.
        weights: the network's tensors by its own names, memory-mapped: each is read when it is used.
        sha256: of the data's files, by name; None where a version of litmus did not store them.
        seen: fingerprints of what the network was trained and chosen on, int64, for `Data.leave_out`; None where a
            version of litmus did not store them.
        step: optimizer steps until then.
        min_score: the score from which a detector's box counts; None where none was chosen.
        errors: of a forecaster in validation, see `litmus.model._base.Net`; None where none were measured.
        trained_with: what decided the digits since it was last resumed, flat; None where a version of litmus did not
            store it.
        changes: of that, when the run was resumed; of each `step`, `key`, `from` and `to`.
    """

    spec: Spec
    model: Section
    weights: dict[str, Tensor]
    sha256: dict[str, str] | None
    seen: Tensor | None
    step: int
    min_score: float | None
    errors: Tensor | None
    trained_with: Section | None
    changes: list[Section]

    @classmethod
    def from_content(cls, content: Mapping[str, object]) -> "Checkpoint | None":
        """The checkpoint in what `torch.load` gave; None where it is not one of litmus."""
        entries: Section = dict(content)
        if "spec" not in entries:
            return None
        for name, kind in KINDS.items():
            if name in entries and not isinstance(entries[name], kind):
                raise TypeError(f"its {name} is a {type(entries[name]).__name__}")
        if "trained_with" in entries and not {"checkpoint", "history", "random_state"} <= entries["callbacks"].keys():
            raise TypeError("its callbacks are not a run's")
        if not all(isinstance(tensor, Tensor) for tensor in entries["state_dict"].values()):
            raise TypeError("its state_dict holds what is no tensor")
        if not all(isinstance(text, str) for text in (entries.get("sha256") or {}).values()):
            raise TypeError("its sha256 holds what is no text")
        if not all(
            isinstance(change, dict) and {"step", "key", "from", "to"} <= {*change}
            for change in entries.get("changes", [])
        ):
            raise TypeError("its changes are none")
        state = entries["state_dict"]
        weights = {name.removeprefix(PREFIX): tensor for name, tensor in state.items() if name.startswith(PREFIX)}
        spec, model = Spec.from_plain(entries["spec"]), entries.get("model", {})
        known = (entries.get("sha256"), entries.get("seen"), entries.get("global_step", 0))
        measured = (entries.get("min_score"), entries.get("errors"))
        history = (entries.get("trained_with"), entries.get("changes", []))
        return cls(spec, model, weights, *known, *measured, *history)

    def key_of_another_run(self, config: Section) -> str | None:
        """A key that no run changes when it is resumed, and that is another in the run that trained this; or None.

        Args:
            config: of a run, resolved.
        """
        before, now = self.trained_with or {}, identity(config)
        fixed = (key for key in before.keys() & now.keys() if key_of(key).identifies and not key_of(key).resumable)
        return next((key for key in sorted(fixed) if before[key] != now[key]), None)

    def load_into(self, net: Net, path: Path) -> None:
        """Gives a network these weights.

        Args:
            net: rebuilt by this checkpoint.
            path: of this checkpoint, for the message.

        Raises:
            UserError: they are another network's.
        """
        try:
            net.load_state_dict(self.weights)
        except RuntimeError as error:
            raise UserError(f"{path} is damaged, or of another network: {_first_difference(error)}.") from None
        net.min_score, net.errors = self.min_score, self.errors

    def rebuilding(self, section: Section) -> Section:
        """The `model` section by which `config.build` makes the network again, out of the one of the run.

        Raises:
            UserError: the checkpoint's settings are not allowed: it does not belong to such a network.
        """
        merged = {**section, **settings(self.model)}  # the class is the run's, whatever a checkpoint says
        if wrong := section_mistakes("model", merged):
            raise UserError("\n".join(["The checkpoint's settings do not fit the run's network:", *wrong]))
        return merged


def save(content: Section, path: Path) -> None:
    """Writes tensors and plain values, whole or not at all, and waits until they are on the disk.

    Raises:
        OSError: the disk is full.
    """
    try:
        with replacing(path, durable=True) as temporary, temporary.open("wb") as file:
            torch.save(content, file)
    except RuntimeError as error:  # torch's own, which hides the system's
        raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def load_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file of a run folder, on the CPU.

    Raises:
        UserError: the file is missing, damaged, holds code, or is not a checkpoint of litmus.
    """
    try:
        content = torch.load(path, weights_only=True, map_location="cpu", mmap=True)
    except Exception as error:  # the kind depends on how the file is damaged
        imported = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it would run {imported[1]}" if imported else "it is damaged"
        raise UserError(f"{path} is not a file of weights and plain values: {reason}. It was not loaded.") from None
    try:
        checkpoint = Checkpoint.from_content(content)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise UserError(f"{path} is damaged: {type(error).__name__}: {error}.") from None
    if checkpoint is None:
        raise UserError(f"{path} is not a checkpoint of litmus: it holds no spec.")
    return checkpoint


def is_whole(path: Path) -> bool:
    """Whether a checkpoint can be read to its end: its archive holds checksums, which `torch.load` does not check."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError):
        return False


def newest_checkpoint(run: RunDir) -> Path | None:
    """The newest whole checkpoint of a run that is to be resumed; None if it has not kept any yet.

    Raises:
        UserError: its checkpoints are missing or damaged.
    """
    if not run.has_kept():
        return None
    config = run.read_config()
    wrong = {path: _what_is_wrong(path, config) for path in (run.last, run.best)}
    if None not in wrong.values():
        reasons = " and ".join(f"{path.name} {what}" for path, what in wrong.items())
        raise UserError(f"{run.path} cannot be resumed: {reasons}. Begin anew: {_command_of(run)}.")
    if run.best.is_file() and wrong[run.best] is not None:
        raise UserError(
            f"{run.best} {wrong[run.best]}, so the best epoch so far is lost. Remove that file to train on: the best "
            "of the epochs to come is then kept."
        )
    if wrong[run.last] is None:
        return run.last
    log.warning("%s %s: resuming from %s, the best epoch.", run.last, wrong[run.last], run.best.name)
    return run.best


def load_best(run: RunDir) -> Checkpoint:
    """The checkpoint of a run's best epoch.

    Raises:
        UserError: it is missing, damaged, or another run's.
    """
    run.check_best()
    return load_own(run, run.best)


def load_own(run: RunDir, path: Path) -> Checkpoint:
    """A checkpoint of a run.

    Raises:
        UserError: it is missing, damaged, or another run's.
    """
    checkpoint = load_checkpoint(path)
    if key := checkpoint.key_of_another_run(run.read_config()):
        raise UserError(f"{path} {_of_another_run(key, checkpoint)}.")
    return checkpoint


def _what_is_wrong(path: Path, config: Section) -> str | None:
    """Why a run cannot be resumed from a file, to follow the file's name; None where it can."""
    if not path.is_file():
        return "is missing"
    if not is_whole(path):
        return "is damaged"
    try:
        checkpoint = load_checkpoint(path)
    except UserError:
        return "is damaged, or no checkpoint"
    key = checkpoint.key_of_another_run(config)
    return _of_another_run(key, checkpoint) if key else None


def _of_another_run(key: str, checkpoint: Checkpoint) -> str:
    return f"is another run's, which was trained with {key}={shown((checkpoint.trained_with or {})[key])}"


def _first_difference(error: RuntimeError) -> str:
    """The first in torch's list of what does not fit."""
    lines = [line.strip().rstrip(". ") for line in str(error).splitlines()]
    return readable(next((line for line in lines[1:] if line), first_line(error)))


def _command_of(run: RunDir) -> str:
    """The command that trains a run from its start, to be typed again."""
    return command_of(run) or "type the command of this run without resume="


def history_entries(trained_with: Section, changes: list[Section]) -> Section:
    """What a run adds of how it was trained; see `Checkpoint`."""
    return {"trained_with": trained_with, "changes": changes}


def checkpoint_entries(net: Net, data: Data) -> Section:
    """What a run adds to Lightning's checkpoint: the inverse of `Checkpoint.from_content`, the weights excepted."""
    measured = {"min_score": net.min_score, "errors": net.errors}
    return {
        "spec": net.spec.to_plain(),
        "sha256": data.sha256,
        "model": net.rebuild_settings(),
        "seen": data.seen,
        **{name: value for name, value in measured.items() if value is not None},
    }
