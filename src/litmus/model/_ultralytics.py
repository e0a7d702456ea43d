"""What litmus uses of the ultralytics package, and how it keeps the package from doing anything else.

At import the package writes settings into the home folder, changes an environment variable and asks for a
network; later it may install packages, download weights and report what it does. None of that happens here: it is
imported with its switches set, its settings go to a folder that is removed, and of its functions only those below
are called. It is licensed under the AGPL-3.0.
"""

import atexit
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
from types import SimpleNamespace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from litmus.errors import UserError
from litmus.model import _weights

SWITCHES = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "true",
}
RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"


@cache
def package() -> Any:
    """Its module of networks.

    Raises:
        UserError: it is not installed.
    """
    before, opens, saves = dict(os.environ), Image.open, torch.save
    settings = tempfile.mkdtemp(prefix="litmus-ultralytics-")
    atexit.register(shutil.rmtree, settings, ignore_errors=True)
    os.environ.update(SWITCHES, YOLO_CONFIG_DIR=settings, MPLCONFIGDIR=settings)
    try:
        with redirect_stdout(StringIO()):
            import ultralytics.nn.tasks as tasks
    except ModuleNotFoundError as missing:
        if missing.name != "ultralytics":
            raise
        raise UserError(
            "model=yolo needs the package ultralytics (AGPL-3.0): pip install 'litmus[detection]'."
        ) from None
    finally:
        os.environ.clear()
        os.environ.update(before)
        Image.open = opens  # the package's own looks for more libraries, and would install them
        torch.save = saves  # its own tries what fails again and again
    logging.getLogger("ultralytics").setLevel(logging.ERROR)
    return tasks


def network(arch: str, channels: int, names: Sequence[str]) -> Any:
    """A fresh network of that version and size, for those classes."""
    made = package().DetectionModel(f"{arch}.yaml", ch=channels, nc=len(names), verbose=False)
    made.names = dict(enumerate(names))
    return made


def backbone_length(network: Any) -> int:
    """How many of its layers are the backbone."""
    return len(network.yaml["backbone"])


def criterion(network: Any, gains: dict[str, float]) -> Any:
    """The package's loss for that network, `(raw outputs, batch) -> (parts times pictures, ...)`."""
    network.args = SimpleNamespace(**gains, epochs=1)
    return network.init_criterion()


def settled(criterion: Any) -> Any:
    """The same loss with the weights that a two-headed one ends with, so that epochs can be compared."""
    if not hasattr(criterion, "decay"):
        return criterion
    fixed = copy(criterion)
    fixed.o2m = fixed.final_o2m
    fixed.o2o = fixed.total - fixed.o2m
    return fixed


def schedule(criterion: Any, epoch: int, num_epochs: int) -> None:
    """Moves the weights of a two-headed loss to where they are in that epoch, from 0."""
    if hasattr(criterion, "decay"):
        criterion.one2one.hyp.epochs = num_epochs
        criterion.updates = epoch
        criterion.o2m = criterion.decay(epoch)
        criterion.o2o = max(criterion.total - criterion.o2m, 0.0)


def decoded(network: Any, raw: Any) -> Tensor:
    """What the network answers, from its raw outputs."""
    boxes: Tensor = network.model[-1]._inference(raw.get("one2many", raw))
    return boxes


def nms(answer: Tensor, min_score: float, overlap: float, most: int, several: bool) -> list[Tensor]:
    """The boxes that are left when of two that overlap only the better one is kept.

    Args:
        answer: of a batch.
        min_score: of a box.
        overlap: from where on, as intersection over union.
        most: boxes of a picture.
        several: whether a place may have boxes of several classes, as average precision is measured with.
    """
    from ultralytics.utils.nms import non_max_suppression

    # No time limit: what is answered must not depend on how busy the machine is.
    found: Any = non_max_suppression(answer, min_score, overlap, multi_label=several, max_det=most, max_time_img=1e6)
    return found


def is_head(network: Any) -> Callable[[str], bool]:
    """Whether a tensor's name is that of the layers that score classes: they depend on how many there are."""
    last = f"network.model.{len(network.model) - 1}."
    return lambda name: name.startswith((f"{last}cv3.", f"{last}one2one_cv3."))


def coco_file(arch: str) -> Path:
    """The published weights, out of torch's cache if they are there: nothing is asked of a network then.

    Raises:
        UserError: they are neither there nor to be had.
    """
    return _weights.pretrained_file(f"{RELEASE}/{arch}.pt", "coco", None)


def tensors(arch: str, weights: str) -> dict[str, Tensor]:
    """The tensors of COCO's weights, of a .pt of the package, or of a run, by our names.

    Raises:
        UserError: there is none, or it is of another task than detection.
    """
    path = coco_file(arch) if weights == "coco" else _weights.checkpoint_of(weights)
    if path.suffix == ".ckpt":
        return _weights.tensors(str(path), str)
    return {f"network.{name}": w for name, w in loaded(path, f"model.weights={weights}").float().state_dict().items()}


def loaded(path: Path, what: str) -> Any:
    """The network in a .pt of the package. Only classes that the package itself names are made; nothing else is run.

    Raises:
        UserError: it is no such file, or its task is not detection.
    """
    if not path.is_file():
        raise UserError(f"{what}: there is no such file.")
    tasks = package()
    try:
        with tempfile.TemporaryDirectory() as folder:
            # By its own name, the package might take the file for one of its own, delete it and ask for another.
            neutral = Path(folder, "weights.pt")
            shutil.copyfile(path, neutral)
            content, _ = tasks.torch_safe_load(str(neutral), safe_only=True)
        found = content.get("ema") or content["model"]
    except Exception as error:  # of many kinds, by how the file is damaged, or what it would have run
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{what} is not a file of weights that ultralytics wrote ({first}).") from None
    task = getattr(found, "task", None) or tasks.guess_model_task(found)
    if type(found) is not tasks.DetectionModel:
        said = f"a network for the task {task}" if task != "detect" else f"a {type(found).__name__}"
        raise UserError(f"{what} is {said}; model=yolo is for YOLO's detectors.")
    return found


def size_of(path: Path, what: str) -> int | None:
    """Pixels of a side, of the pictures that a .pt of the package was trained on; None where it does not say."""
    settings = getattr(loaded(path, what), "args", None)
    size = settings.get("imgsz") if isinstance(settings, dict) else getattr(settings, "imgsz", None)
    return size if isinstance(size, int) and size > 0 else None


def written(network: Any, path: Path, size: int) -> Any:
    """Writes a network as the package writes its own, and gives what the package reads out of the file.

    Args:
        network: as `network` made it; it is not changed.
        path: of the .pt.
        size: pixels of a side, of the pictures that it was trained on.
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
    return loaded(path, str(path)).float().eval()
