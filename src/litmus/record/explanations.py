"""explanations.npz of a run: why its network says what it says of some test samples, as `litmus explain RUN` found."""

import io
import json
import logging
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from litmus.config.explanation import Explanation, Explanations, Floats, Heat, Importance, Importances, Part
from litmus.config.types import Section
from litmus.fetch import local
from litmus.record.files import replacing

log = logging.getLogger(__name__)

FILE = "explanations.npz"
LARGEST = 50_000_000  # bytes, also where they are not compressed
MOST = 100  # samples
KINDS = ("image", "text", "row", "window")
_PLAIN = ("name", "answer", "baseline", "method", "kind", "truth", "output", "reference", "error", "box")
Array = NDArray[np.generic]
Pixels = NDArray[np.uint8]


def write(folder: Path, explanations: Explanations) -> None:
    """Writes the file, whole or not at all."""
    found = explanations.importances
    words = {
        "samples": [_to_plain(own) for own in explanations.samples],
        "importances": None
        if found is None
        else {
            "metric": found.metric,
            "value": found.value,
            "rows": found.rows,
            "columns": [[own.name, own.mean, own.deviation] for own in found.columns],
        },
    }
    arrays = {"words": np.frombuffer(json.dumps(words).encode(), dtype=np.uint8)}
    for number, own in enumerate(explanations.samples):
        if own.pixels is not None:
            arrays[f"pixels-{number}"] = own.pixels
        arrays |= {f"heat-{number}-{i}": heat.values.astype(np.float32) for i, heat in enumerate(own.heats)}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]  # its `allow_pickle` is not among them
    with replacing(folder / FILE) as temporary:
        temporary.write_bytes(content.getvalue())


def read(folder: Path) -> Explanations | None:
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
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        words = json.loads(arrays["words"].tobytes())
        samples = [_from_plain(own, number, arrays) for number, own in enumerate(words["samples"][:MOST])]
        return Explanations(samples, _importances(words["importances"]))
    except Exception:  # zip, numpy and JSON have errors of their own, and a foreign file may hold anything
        log.warning("%s is damaged, and not shown.", folder / FILE)
        return None


def _to_plain(own: Explanation) -> Section:
    """All but the arrays and the prediction, which a page does not show."""
    plain: Section = {name: getattr(own, name) for name in _PLAIN}
    plain["parts"] = [[part.name, part.shown, part.value, part.column] for part in own.parts]
    plain["heats"] = [heat.method for heat in own.heats]
    return {**plain, "notes": list(own.notes)}


def _from_plain(plain: Section, number: int, arrays: dict[str, Array]) -> Explanation:
    """The inverse; raises an error where something does not fit."""
    kind, box, error = plain["kind"], plain["box"], plain["error"]
    pixels = _pixels(arrays[f"pixels-{number}"]) if kind == "image" else None
    if kind not in KINDS or not (box is None or len(box) == 4):
        raise ValueError
    return Explanation(
        name=str(plain["name"]),
        answer=str(plain["answer"]),
        prediction={},
        output=_finite(plain["output"]),
        reference=_finite(plain["reference"]),
        baseline=str(plain["baseline"]),
        method=str(plain["method"]),
        error=None if error is None else _finite(error),
        kind=kind,
        parts=[
            Part(str(name), str(shown), None if value is None else _finite(value), str(column))
            for name, shown, value, column in plain["parts"]
        ],
        heats=[Heat(str(method), _heat(arrays[f"heat-{number}-{i}"])) for i, method in enumerate(plain["heats"])],
        pixels=pixels,
        box=None if box is None else tuple(_finite(edge) for edge in box),
        truth=str(plain["truth"]),
        notes=[str(note) for note in plain["notes"]],
    )


def _pixels(values: Array) -> Pixels:
    if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] not in (1, 3) or not values.size:
        raise ValueError
    return values.astype(np.uint8)


def _heat(values: Array) -> Floats:
    if values.dtype != np.float32 or values.ndim != 2 or not values.size or not np.isfinite(values).all():
        raise ValueError
    return values.astype(np.float32)


def _importances(plain: Section | None) -> Importances | None:
    if plain is None:
        return None
    columns = [Importance(str(name), _finite(mean), _finite(deviation)) for name, mean, deviation in plain["columns"]]
    return Importances(str(plain["metric"]), _finite(plain["value"]), int(plain["rows"]), columns)


def _finite(value: object) -> float:
    number = float(value)  # type: ignore[arg-type]  # what is no number raises an error
    if not np.isfinite(number):
        raise ValueError
    return number
