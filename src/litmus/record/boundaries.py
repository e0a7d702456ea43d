"""boundaries.npz of a run: what its network made of each place of a plane, or of a line, epoch by epoch."""

import io
import json
import logging
import zipfile
from pathlib import Path

import numpy as np

from litmus.config.boundaries import MOST_CLASSES, MOST_SAMPLES, MOST_UNITS, PLACES, SIDE, Boundaries
from litmus.fetch import local
from litmus.record.files import replacing

log = logging.getLogger(__name__)

FILE = "boundaries.npz"
LARGEST = 50_000_000  # bytes, also where they are not compressed
_ARRAYS = ("epochs", "outputs", "units", "low", "high", "inputs", "targets")


def write(folder: Path, boundaries: Boundaries) -> None:
    """Writes the file, whole or not at all."""
    words = json.dumps([list(boundaries.names), list(boundaries.classes), boundaries.target])
    content = io.BytesIO()
    arrays = {name: getattr(boundaries, name) for name in _ARRAYS}
    np.savez_compressed(content, words=np.frombuffer(words.encode(), dtype=np.uint8), **arrays)
    with replacing(folder / FILE) as temporary:
        temporary.write_bytes(content.getvalue())


def read(folder: Path) -> Boundaries | None:
    """What the file holds; None where there is none, or, which is said, it is damaged."""
    try:
        content = local.read_bytes(folder / FILE, LARGEST)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s is not shown: %s", folder / FILE, local.reason(error))
        return None
    try:
        if sum(part.file_size for part in zipfile.ZipFile(io.BytesIO(content)).infolist()) > LARGEST:
            raise ValueError
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            names, classes, target = json.loads(arrays["words"].tobytes())
            found = Boundaries(names, classes, target, **{name: arrays[name] for name in _ARRAYS})
        _check(found)
    except Exception:  # zip, numpy and JSON have errors of their own, and a foreign file may hold anything
        log.warning("%s is damaged, and not shown.", folder / FILE)
        return None
    return found


def _check(found: Boundaries) -> None:
    """Raises an error where parts do not fit each other."""
    num_inputs, num_epochs, num_samples = len(found.names), len(found.epochs), len(found.inputs)
    fits = (
        num_inputs in (1, 2)
        and num_epochs > 0
        and len(found.classes) <= MOST_CLASSES
        and bool(found.classes) == (num_inputs == 2)
        and found.epochs.ndim == 1
        and found.side <= (SIDE if num_inputs == 2 else PLACES)
        and num_samples <= MOST_SAMPLES
        and found.units.shape[1] <= MOST_UNITS
        and found.units.ndim == 3
        and all(getattr(found, name).dtype.kind in "iuf" for name in _ARRAYS)
        and bool(np.isfinite(found.epochs).all() and np.isfinite(found.high - found.low).all())
        and found.outputs.shape == (num_epochs, found.side**num_inputs, max(1, len(found.classes)))
        and found.units.shape[0::2] == (num_epochs, num_inputs + 1)
        and found.low.shape == found.high.shape == (num_inputs,)
        and found.inputs.shape == (num_samples, num_inputs)
        and found.targets.shape == (num_samples,)
        and all(isinstance(name, str) for name in (*found.names, *found.classes, found.target))
        and bool(np.all(found.low < found.high))
    )
    if not fits:
        raise ValueError
