"""A trained network in a program of your own; `litmus.load` is the public door to it.

It predicts as `litmus predict` does, by the same code: what that prints with `--json` is what comes back here.
"""

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from litmus.config.fit import architectures
from litmus.config.protocols import Net
from litmus.config.types import Section
from litmus.config.validate import did_you_mean
from litmus.errors import UserError
from litmus.fetch import local
from litmus.inference.device import check_device, on_device
from litmus.inference.frames import Frame, FrameRow
from litmus.inference.load import load_pretrained, load_run
from litmus.inference.predict import predictor
from litmus.inference.prediction import TOPK, ImagePrediction, RowPrediction, TextPrediction
from litmus.record.folder import RunDir
from litmus.record.metrics import min_score_of
from litmus.spec import Classes, Columns, Labels, Series, Spec, Tokens

if TYPE_CHECKING:
    import polars as pl

    from litmus.inference.columns import ColumnPredictor
    from litmus.inference.forecast import Forecaster
    from litmus.inference.images import ImagePredictor
    from litmus.inference.texts import TextPredictor

log = logging.getLogger(__name__)

Row = Mapping[str, object]  # of a table: its cells by the names of their columns
# A text; an image, by its file or itself; a series; a row.
One = str | os.PathLike[str] | Image.Image | NDArray[np.uint8] | NDArray[np.float64] | Row
Many = (
    Frame
    | list[str]
    | list[Path]
    | list[Image.Image]
    | list[NDArray[np.uint8]]
    | list[NDArray[np.float64]]
    | list[dict[str, object]]
    | list[One]
    | tuple[One, ...]
)
Prediction = ImagePrediction | TextPrediction | RowPrediction


def load(run: str | os.PathLike[str], device: str = "cpu") -> "Network":
    """The network of a run, with its best weights, or a pretrained one.

    Args:
        run: its folder, such as `outputs/latest`; or a value of `model.arch`, such as `resnet50`, for its pretrained
            weights, where no folder is called so.
        device: where it computes: `cpu`, `cuda`, `mps`, or `auto`, which takes a GPU if there is one.

    Raises:
        UserError: there is no such device, or no such run, it has no weights yet, or the pretrained weights are not
            available.
    """
    check_device(device)
    name = os.fspath(run)
    run_dir = RunDir.named(name)
    if local.kind_of(run_dir.path) == "missing":
        known = list(architectures())
        if name in known:
            return Network(on_device(load_pretrained(name), device))
        if hint := did_you_mean(name, known):
            raise UserError(f"There is no folder {name}.{hint}")
    return Network(on_device(load_run(run_dir), device), run_dir.read_config()["data"])


class Network:
    """A trained network that predicts for images, texts, rows of a table or series, whichever it was trained on.

    An image is the path of a file, an image of Pillow, or an array: uint8, (height, width), (height, width, 3) in RGB
    or (height, width, 4) with transparency. It may have any size: it is fitted as `litmus predict` does it.

    A row is a dictionary of its cells by the names of their columns, or a row of pandas; rows are a list of them, or a
    table of pandas or polars. Columns that the network does not take are not looked at; numbers and dates may be text.

    A series is an array of its last values, (values,), or a table of pandas or polars, as the run's own.

    Args:
        net: in evaluation mode: see `litmus.inference.device`.
        data: the section `data` of its run, which tells the columns of a series.

    Attributes:
        spec: what the network takes and predicts.
        names: of the classes, labels or values, in the order of the network's outputs.
    """

    def __init__(self, net: Net, data: Section | None = None) -> None:
        self.spec: Spec = net.spec
        self.names: tuple[str, ...] = net.spec.target.names
        self._predictor = _forecaster(net, data) if isinstance(net.spec.input, Series) else predictor(net)

    def __repr__(self) -> str:
        return f"<Network: {self.spec.data}, {self.spec.input.noun} to {self.spec.target.noun}>"

    @overload
    def predict(self, what: One, *, topk: int = ..., min_score: float | None = ...) -> Prediction: ...

    @overload
    def predict(self, what: Many, *, topk: int = ..., min_score: float | None = ...) -> list[Prediction]: ...

    def predict(
        self, what: One | Many, *, topk: int = TOPK, min_score: float | None = None
    ) -> Prediction | list[Prediction]:
        """What the network says: a class or labels with probabilities, values in the data's unit, or bounding boxes.

        Args:
            what: an image, a text, a row or the last values of a series; a list or a tuple of them; or a table of
                pandas or polars, of which a network for series takes each group as one.
            topk: how many classes are given, the best first.
            min_score: the lowest score of a bounding box; None takes the one that the run chose.

        Returns:
            A dictionary for an image, a text or a row, a list of them for a list or a table: `inference/prediction.py`
            has the keys.

        Raises:
            UserError: an image cannot be read, a column is missing, or `what` is nothing that the network takes.
        """
        if isinstance(what, list | tuple | Frame):
            return self._predict_all(what, topk, min_score)
        return self._predict_all([what], topk, min_score)[0]

    def forecast(
        self,
        steps: int | None = None,
        level: float = 0.9,
        frame_or_path: Frame | str | os.PathLike[str] | None = None,
    ) -> list[dict[str, object]]:
        """What follows the last value of a series, with intervals, as `litmus predict RUN --json` prints it.

        Args:
            steps: how many; None takes `data.horizon`. Steps beyond that follow from forecasts.
            level: of the intervals, in (0, 1).
            frame_or_path: the series to continue: a table of pandas or polars, or a file, with the columns of the run's
                own; None continues that.

        Returns:
            A dictionary for each step of each group: `group` and `date` where there are any, `step` from 1 on, the
            value in its unit by the name of its column, and `low` and `high`, None where there is no interval.

        Raises:
            UserError: the network takes no series, the table lacks a column or cannot be read, or the series is too
                short.
        """
        from litmus.inference.forecast import Forecaster, as_rows

        if not isinstance(self._predictor, Forecaster):
            raise UserError(f"This network takes {self.spec.input.noun}, and forecasts no series. Use predict.")
        if not 0 < level < 1:
            raise UserError(f"level={level} should be between 0 and 1.")
        if steps is not None and (not isinstance(steps, int) or steps < 1):
            raise UserError(f"steps={steps} should be a whole number, at least 1; a table or a file is frame_or_path.")
        found = self._predictor.forecast(_series(frame_or_path), steps, level)
        for note in self._predictor.notes:
            log.warning(note)
        return as_rows(found)

    @overload
    def predict_proba(self, what: One) -> NDArray[np.float32]: ...

    @overload
    def predict_proba(self, what: Many) -> NDArray[np.float32]: ...

    def predict_proba(self, what: One | Many) -> NDArray[np.float32]:
        """The probabilities of the classes, or of each label, in the order of `names`.

        Args:
            what: as of `predict`.

        Returns:
            float32 (classes,) for an image, a text or a row, (samples, classes) for a list or a table.

        Raises:
            UserError: as of `predict`; a text is empty; or the network estimates no probabilities.
        """
        if not isinstance(self.spec.target, Classes | Labels):
            raise UserError(f"This network predicts {self.spec.target.noun}, which have no probabilities. Use predict.")
        if isinstance(what, list | tuple | Frame):
            rows = [self._probabilities(each) for each in self._predict_all(what, len(self.names), None)]
            return np.array(rows, np.float32).reshape(-1, len(self.names))
        return np.array(self._probabilities(self._predict_all([what], len(self.names), None)[0]), np.float32)

    def _probabilities(self, prediction: Prediction) -> list[float]:
        if "scores" in prediction:
            raise UserError("This network gives scores, which are no probabilities. Use predict.")
        if "probabilities" not in prediction:
            raise UserError("There are no probabilities for an empty text.")
        return [prediction["probabilities"][name] for name in self.names]

    def _predict_all(self, items: Frame | Sequence[object], topk: int, min_score: float | None) -> list[Prediction]:
        if isinstance(self.spec.input, Series):
            return [*self._predict_series(items)]
        if isinstance(self.spec.input, Columns):
            return self._predict_rows(items if isinstance(items, Frame) else [_row(item) for item in items], topk)
        if isinstance(items, Frame):
            raise UserError(f"This network takes {self.spec.input.noun}, not {_kind(items)}. Give it a list of them.")
        if isinstance(self.spec.input, Tokens):
            texts = cast("TextPredictor", self._predictor)
            return [*texts.predict([_text(item) for item in items], texts.batch_size, topk)]
        images = cast("ImagePredictor", self._predictor)
        sources = [_image(item) for item in items]
        lowest = min_score_of(images.net) if min_score is None else min_score
        predictions = list(images.predict(sources, images.batch_size, topk, lowest))
        for prediction in predictions:
            if "error" in prediction:
                raise UserError(f"{prediction['image']} {prediction['error']}.")
        return [*predictions]

    def _predict_series(self, items: Frame | Sequence[object]) -> list[RowPrediction]:
        series = cast("Forecaster", self._predictor)
        if isinstance(items, Frame):
            found = [own.values for own in series.forecast(_series(items), None)]
        else:
            found = [series.values(_window(item)) for item in items]
        return [{"values": dict(zip(self.names, own.tolist(), strict=True))} for own in found]

    def _predict_rows(self, rows: Frame | Sequence[Row], topk: int) -> list[Prediction]:
        from litmus.data.columns.encode import check_columns
        from litmus.inference.rows import as_frame, names_in

        chosen = cast("ColumnPredictor", self._predictor)
        if not isinstance(rows, Frame) and not rows:
            return []
        check_columns(names_in(rows), chosen.columns, "The table")
        return [*chosen.predict(as_frame(rows, chosen.column_names), chosen.batch_size, topk)]


def _forecaster(net: Net, data: Section | None) -> "Forecaster":
    from litmus.inference.forecast import Forecaster

    assert data is not None, "a network for series is that of a run"
    return Forecaster(net, data)


def _series(given: Frame | str | os.PathLike[str] | None) -> "Path | pl.DataFrame | None":
    if given is None:
        return None
    if isinstance(given, Frame):
        from litmus.data.columns.read import tidied_frame
        from litmus.inference.rows import as_frame, names_in

        frame = tidied_frame(as_frame(given, names_in(given)))
        if not frame.height:
            raise UserError("The table has no rows.")
        return frame
    path = local.expand(os.fspath(given))
    local.check_file(path)
    return path


def _window(item: object) -> NDArray[np.float64]:
    if (
        not isinstance(item, np.ndarray)
        or item.ndim != 1
        or item.dtype.kind not in "fiu"
        or not np.isfinite(item).all()
    ):
        raise UserError(
            "This network takes series: an array of finite numbers of shape (values,), or a table of pandas or polars, "
            f"not {_kind(item)}."
        )
    return item.astype(np.float64)


def _row(item: object) -> Row:
    if isinstance(item, FrameRow):
        return {str(name): cell for name, cell in item.to_dict().items()}
    if not isinstance(item, Mapping):
        raise UserError(
            "This network takes rows of a table: a table of pandas or polars, or dictionaries of cells by the names of "
            f"their columns, not {_kind(item)}."
        )
    return item


def _text(item: object) -> str:
    if not isinstance(item, str):
        raise UserError(f"This network takes texts, which are strings, not {_kind(item)}.")
    return item


def _image(item: object) -> Path | Image.Image:
    if isinstance(item, Image.Image):
        return _loaded(item)
    if isinstance(item, str | os.PathLike):
        return local.expand(os.fspath(item))
    if not isinstance(item, np.ndarray):
        raise UserError(f"This network takes images: paths, images of Pillow, or arrays, not {_kind(item)}.")
    channels = item.shape[2:]
    if item.dtype != np.uint8 or item.ndim not in (2, 3) or channels not in ((), (3,), (4,)) or not item.size:
        raise UserError(
            "An image as an array is uint8 of shape (height, width), (height, width, 3) or (height, width, 4), not "
            f"{item.dtype} of shape {item.shape}."
        )
    return Image.fromarray(item)


def _loaded(image: Image.Image) -> Image.Image:
    """The same image, its pixels read: Pillow does that late, and not for several threads at once."""
    try:
        image.load()
    except (OSError, ValueError, SyntaxError) as error:  # what Pillow's readers raise for damaged files
        raise UserError(f"An image cannot be read: {error}.") from None
    return image


def _kind(item: object) -> str:
    return f"{type(item).__module__}.{type(item).__qualname__}".removeprefix("builtins.")
