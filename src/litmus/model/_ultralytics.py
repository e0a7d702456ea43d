"""What litmus uses of the ultralytics package, and how the package is kept from side effects.

On import the package writes settings into the home folder, changes environment variables and connects to the
internet; later it may install packages, download weights and report usage. None of this happens here: it is
imported with its switches set and a temporary folder for its settings, and only the functions below call it.
It is licensed under the AGPL-3.0.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from copy import copy
from datetime import datetime
from functools import cache
from io import StringIO
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from PIL import Image
from torch import Tensor

from litmus.config.types import Section
from litmus.errors import UserError
from litmus.model import _weights
from litmus.model._preflight import checkpoint_of

if TYPE_CHECKING:
    from ultralytics.utils.loss import E2ELoss, v8DetectionLoss

    Loss = E2ELoss | v8DetectionLoss

SWITCHES = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "true",
}
# A DetectionModel of the package: an nn.Module whose attributes (yaml, names, args, model) no type declares.
Network = Any
RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"


@cache
def package() -> ModuleType:
    """The package's module `nn.tasks`, which defines its networks.

    Raises:
        UserError: the package is not installed.
    """
    before, image_open, torch_save = dict(os.environ), Image.open, torch.save
    with tempfile.TemporaryDirectory() as settings:  # which the import writes, and nothing reads again
        os.environ.update(SWITCHES, YOLO_CONFIG_DIR=settings, MPLCONFIGDIR=settings)
        try:
            with redirect_stdout(StringIO()):
                import ultralytics.nn.tasks as tasks
        except ModuleNotFoundError as missing:
            if missing.name != "ultralytics":
                raise
            raise UserError(
                "model=yolo requires the package ultralytics (AGPL-3.0). Run pip install 'litmus[detection]'."
            ) from None
        finally:
            os.environ.clear()
            os.environ.update(before)
            Image.open = image_open  # the package's replacement would install libraries for more formats
            torch.save = torch_save  # the package's replacement retries what fails
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    return tasks


def make_network(arch: str, channels: int, names: Sequence[str]) -> Network:
    """A network with random weights, of a version and size such as yolo11n, for classes of these names."""
    made: Network = package().DetectionModel(f"{arch}.yaml", ch=channels, nc=len(names), verbose=False)
    made.names = dict(enumerate(names))
    return made


def backbone_length(network: Network) -> int:
    """The number of layers of the backbone, which come first."""
    return len(network.yaml["backbone"])


def make_criterion(network: Network, gains: dict[str, float]) -> "Loss":
    """The package's loss for a network, `(raw output, batch) -> (terms of the loss times batch size, ...)`."""
    from ultralytics.utils.loss import E2ELoss

    network.args = SimpleNamespace(**gains, epochs=1)
    loss = _loss_of_whole_batches()
    return E2ELoss(network, loss) if isinstance(network.init_criterion(), E2ELoss) else loss(network)


@cache
def _loss_of_whole_batches() -> "type[v8DetectionLoss]":
    from ultralytics.utils.loss import v8DetectionLoss

    class LossOfWholeBatches(v8DetectionLoss):
        """Divides by what is matched in a batch: in all of it, where several processes train with a part of it each."""

        def loss(self, preds: Section, batch: Section) -> Any:
            if not (torch.is_grad_enabled() and dist.is_initialized()):
                return super().loss(preds, batch)
            matched: list[Tensor] = []
            hook = self.assigner.register_forward_hook(lambda *call: matched.append(call[-1][2].sum()))  # its output
            loss, parts = super().loss(preds, batch)
            hook.remove()
            (own,), whole = matched, matched[0].clone()
            dist.all_reduce(whole)
            return loss * own.clamp(min=1) * dist.get_world_size() / whole.clamp(min=1), parts

    return LossOfWholeBatches


def with_final_weights(criterion: "Loss") -> "Loss":
    """A loss whose weights of the two heads are those of the last epoch, so that all epochs are comparable."""
    from ultralytics.utils.loss import E2ELoss

    if not isinstance(criterion, E2ELoss):
        return criterion
    fixed = copy(criterion)
    fixed.o2m = fixed.final_o2m
    fixed.o2o = fixed.total - fixed.o2m
    return fixed


def schedule(criterion: "Loss", epoch: int, num_epochs: int) -> None:
    """Sets the weights of the two heads for an epoch, counted from 0, in a loss that has two."""
    from ultralytics.utils.loss import E2ELoss

    if isinstance(criterion, E2ELoss):
        criterion.one2one.hyp.epochs = num_epochs
        criterion.updates = epoch
        criterion.o2m = criterion.decay(epoch)
        criterion.o2o = max(criterion.total - criterion.o2m, 0.0)


def decode(network: Network, raw: Section) -> Tensor:
    """The output of the network in evaluation, from its raw output.

    `_inference` is private. Without it, decoding in float32 would take a second pass through the network.
    """
    boxes: Tensor = network.model[-1]._inference(raw.get("one2many", raw))
    return boxes


def nms(output: Tensor, min_score: float, iou: float, max_boxes: int, multi_label: bool) -> list[Tensor]:
    """Non-maximum suppression: of boxes of one class that overlap, the best is kept.

    Args:
        output: of the network in evaluation, for a batch.
        min_score: boxes with a lower score are dropped.
        iou: intersection over union, above which two boxes overlap.
        max_boxes: kept of each image.
        multi_label: whether one place may get boxes of several classes, as average precision requires.

    Returns:
        For each image float32 (boxes, 6): left, top, right, bottom in pixels, score, class; the best first.
    """
    from ultralytics.utils.nms import non_max_suppression

    # No time limit: results must not depend on the load of the machine.
    found: list[Tensor] = non_max_suppression(
        output, min_score, iou, multi_label=multi_label, max_det=max_boxes, max_time_img=1e6
    )
    return found


def is_head(network: Network) -> Callable[[str], bool]:
    """Whether a tensor's name is that of a layer that scores classes: its shape depends on their number."""
    last = f"network.model.{len(network.model) - 1}."
    return lambda name: name.startswith((f"{last}cv3.", f"{last}one2one_cv3."))


def coco_file(arch: str) -> Path:
    """The file of COCO's weights, downloaded into torch's cache unless it is there.

    Raises:
        Unavailable: it is not in the cache and cannot be downloaded.
    """
    return _weights.pretrained_file(f"{RELEASE}/{arch}.pt", "coco", None)


def tensors(arch: str, weights: str) -> dict[str, Tensor]:
    """The tensors of COCO's weights (`coco`), of a .pt of the package, or of a run, by the names of `YOLO`.

    Raises:
        UserError: they are not available, or are not a detector's.
    """
    path = coco_file(arch) if weights == "coco" else checkpoint_of(weights)
    if path.suffix == ".ckpt":
        return _weights.tensors(str(path), str)
    return {f"network.{name}": w for name, w in load(path, f"model.weights={weights}").float().state_dict().items()}


def load(path: Path, what: str) -> Network:
    """The network in a .pt of the package; only classes on the package's own list are unpickled.

    Args:
        path: of the file.
        what: its name in messages, such as `model.weights=my.pt`.

    Raises:
        UserError: it is not such a file, or its task is not detection.
    """
    if not path.is_file():
        raise UserError(f"{what}: there is no such file.")
    tasks = package()
    try:
        with tempfile.TemporaryDirectory() as folder:
            # Under some names, the package would take the file for one of its releases, delete it and download another.
            neutral = Path(folder, "weights.pt")
            shutil.copyfile(path, neutral)
            content, _ = tasks.torch_safe_load(str(neutral), safe_only=True)
        found = content.get("ema") or content["model"]
    except Exception as error:  # the kind depends on how the file is damaged, or on what it would execute
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{what} is not a file of weights written by ultralytics: {first}.") from None
    task = getattr(found, "task", None) or tasks.guess_model_task(found)
    if type(found) is not tasks.DetectionModel:
        kind = f"a network for the task {task}" if task != "detect" else f"a {type(found).__name__}"
        raise UserError(f"{what} is {kind}; model=yolo supports YOLO's detectors only.")
    network: Network = found
    return network


def size_of(path: Path, what: str) -> int | None:
    """Height and width in pixels of the images that a .pt of the package was trained on; None if it does not say.

    Raises:
        UserError: as `load`.
    """
    settings = getattr(load(path, what), "args", None)
    size = settings.get("imgsz") if isinstance(settings, dict) else getattr(settings, "imgsz", None)
    return size if isinstance(size, int) and size > 0 else None


def save(network: Network, path: Path, size: int) -> Network:
    """Writes a network as the package does.

    Args:
        network: of `make_network`; it is not changed.
        path: of the .pt.
        size: height and width in pixels of the images that it was trained on.

    Returns:
        The network that the package reads from the file, in evaluation mode.
    """
    tasks = package()
    import ultralytics

    made = tasks.DetectionModel(network.yaml, ch=network.yaml["channels"], nc=len(network.names), verbose=False)
    made.load_state_dict(network.state_dict())
    made.names, made.task = dict(network.names), "detect"
    settings = {"task": "detect", "imgsz": size, "single_cls": False}
    made.args = settings
    content = {
        "epoch": -1,
        "best_fitness": None,
        "model": made.eval(),
        "ema": None,
        "updates": None,
        "optimizer": None,
        "train_args": settings,
        "train_metrics": {},
        "train_results": {},
        "date": datetime.now().astimezone().isoformat(),
        "version": ultralytics.__version__,
        "license": "AGPL-3.0 (https://ultralytics.com/license)",
    }
    torch.save(content, path)
    read: Network = load(path, str(path)).float().eval()
    return read
