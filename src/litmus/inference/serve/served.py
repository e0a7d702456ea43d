"""A run that a server answers with."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from litmus.config.keys import choice
from litmus.config.types import Section
from litmus.inference.device import on_device
from litmus.inference.load import load_run
from litmus.inference.predict import predictor
from litmus.inference.prediction import key_of
from litmus.inference.serve.kind import Kind
from litmus.inference.serve.worker import Worker
from litmus.record.folder import RunDir, finite
from litmus.record.metrics import of_the_whole
from litmus.spec import Images, Series, Tokens

if TYPE_CHECKING:
    from torch import Tensor

    from litmus.inference.columns import ColumnPredictor
    from litmus.inference.images import ImagePredictor
    from litmus.inference.texts import TextPredictor

MOST_NAMES = 1_000  # of classes that are listed


@dataclass(frozen=True)
class Served:
    """A run, what it takes, and the thread that owns its network.

    Attributes:
        name: its folder's, and that above.
        facts: what /api/run gives.
        kind: of its input.
        worker: that predicts.
        report: its page; None where there is none.
        explains: whether explanations can be computed.
    """

    name: str
    facts: Section
    kind: Kind[Any]  # of whichever items its network takes
    worker: Worker[Any, Section]
    report: Path | None
    explains: bool


def serve_run(run: RunDir, config: Section, device: str, known: "Tensor | None", explains: bool) -> Served:
    """Loads a run.

    Args:
        run: the folder.
        config: of the run.
        device: one of `litmus.inference.device.DEVICES`.
        known: rows of a table's test split, as the network receives them; None where there are none.
        explains: whether Captum is installed.

    Raises:
        UserError: the run has no weights, or there is no such device.
    """
    kind = _kind(run, config, device, known)
    net = kind.net
    worker: Worker[Any, Section] = Worker(kind.predict, kind.batch_size)
    name = "/".join(run.path.resolve().parts[-2:])
    target = net.spec.target
    names = list(target.names)
    metrics = (run.read_result() or {}).get("metrics") or {}
    facts: Section = {
        "name": name,
        "model": choice(config, "model"),
        "data": choice(config, "data"),
        "input": kind.name,
        **kind.facts,
        "target": target.noun,
        "answer": key_of(net),
        "names": names[:MOST_NAMES],
        "num_names": len(names),
        "metrics": finite({key: value for key, value in of_the_whole(metrics).items() if key.startswith("test/")}),
        "explains": explains,
        "report": run.page.is_file(),
    }
    return Served(name, facts, kind, worker, run.page if run.page.is_file() else None, explains)


def _kind(run: RunDir, config: Section, device: str, known: "Tensor | None") -> Kind[Any]:
    net = load_run(run)
    if isinstance(net.spec.input, Series):
        from litmus.inference.forecast import load_forecaster
        from litmus.inference.serve.series import SeriesKind

        is_untrained = (run.read_result() or {}).get("best_epoch") == 0
        return SeriesKind(load_forecaster(run, device), net, config["data"], is_untrained)
    found = predictor(net if device == "cpu" else on_device(load_run(run), device))
    if isinstance(net.spec.input, Images):
        from litmus.inference.serve.images import ImageKind

        return ImageKind(cast("ImagePredictor", found), net)
    if isinstance(net.spec.input, Tokens):
        from litmus.inference.serve.texts import TextKind

        return TextKind(cast("TextPredictor", found), net)
    from litmus.inference.serve.rows import RowKind

    return RowKind(cast("ColumnPredictor", found), net, known)
