"""The weights that training starts from: of a library, of a file, or of a run."""

import logging
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from litmus.errors import Unavailable, UserError
from litmus.fetch import download, hub, local
from litmus.fetch.package import SourceUnavailable
from litmus.model import _torchvision
from litmus.model._preflight import checkpoint_of
from litmus.record.checkpoint import Checkpoint
from litmus.spec import Images, Spec

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint"  # the value of model.weights where a checkpoint rebuilds the network, and then loads them
SHOWN = 6  # names of tensors in a message


def imagenet(arch: str) -> "WeightsEnum":
    """Torchvision's current ImageNet weights of an architecture: their URL, transforms and class names."""
    weights: WeightsEnum = _torchvision.models().get_model_weights(arch).DEFAULT
    return weights


def imagenet_file(arch: str) -> Path:
    """The file of these weights, downloaded into torch's cache unless it is there.

    Raises:
        Unavailable: it is not in the cache and cannot be downloaded.
    """
    url = imagenet(arch).url
    expected = re.search(r"-([0-9a-f]{8,})\.", Path(url).name)
    return pretrained_file(url, "imagenet", expected[1] if expected else None)


def pretrained_file(url: str, weights: str, sha256: str | None) -> Path:
    """A file of pretrained weights, downloaded into torch's cache unless it is there; one that is damaged is not used.

    Args:
        url: of the file.
        weights: the value of `model.weights` that selects it.
        sha256: the first digits of its hash, if they are known.

    Raises:
        Unavailable: it is not in the cache and cannot be downloaded.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", Path(url).name)

    def fetch(folder: Path) -> None:
        if not hub.connects(url):
            raise SourceUnavailable("no connection.")
        try:
            torch.hub.download_url_to_file(url, str(folder / path.name))
        except (OSError, RuntimeError) as error:
            raise SourceUnavailable(f"{error}.") from None

    try:
        download.ensure(path.parent, {path.name: sha256 or ""}, [(url, fetch)])
    except UserError as error:
        raise Unavailable(weights, f"{error} Put the file there") from None
    return path


def read(path: Path, what: str) -> dict[str, object]:
    """The content of a file of tensors and plain values; no code in it is executed.

    Args:
        path: of the file.
        what: its name in messages, such as `model.weights=my.pth`.

    Raises:
        UserError: there is no such file, it is damaged, or it contains anything else.
    """
    if not local.is_file(path):
        raise UserError(f"{what}: there is no such file.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        imported = re.search(r"GLOBAL (\S+)", str(error))
        reason = f"it would import {imported[1]}" if imported else "it is damaged, or was not written by torch"
        raise UserError(f"{what} is not a file of weights alone: {reason}. It was not loaded.") from None
    except Exception as error:  # the kind depends on how the file is damaged
        first = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(f"{what} cannot be read: {first}.") from None
    if not isinstance(content, dict):
        raise UserError(f"{what} contains a {type(content).__name__}, not a dict of weights.")
    return content


def tensors(weights: str, rename: Callable[[str], str]) -> dict[str, Tensor]:
    """The tensors of a file or a run, by a network's own names.

    Args:
        weights: a file or a run folder.
        rename: from another library's name of a tensor to the network's.

    Raises:
        UserError: there is no such file, or it contains no tensors.
    """
    what = f"model.weights={weights}"
    content = read(checkpoint_of(weights), what)
    if (checkpoint := Checkpoint.from_content(content)) is not None:
        return checkpoint.weights
    for key in ("state_dict", "model"):
        inner = content.get(key)
        content = inner if isinstance(inner, dict) else content
    found = {rename(name.removeprefix("module.")): w for name, w in content.items() if isinstance(w, Tensor)}
    if not found:
        raise UserError(f"{what} contains no tensors.")
    return found


def spec_of(weights: str) -> Spec | None:
    """The spec of the network of a run; None for weights that are not of a run.

    Raises:
        UserError: there is no such file, or it is damaged.
    """
    checkpoint = Checkpoint.from_content(read(checkpoint_of(weights), f"model.weights={weights}"))
    return checkpoint.spec if checkpoint else None


def input_spec(images: Images, size: int, resized: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Images:
    """Images as weights were trained on them: RGB, normalized alike, of their size unless the data has one.

    Images that are stored in one size (their mean is known) are scaled as a whole, without a crop.

    Args:
        images: the data's; an empty mean and a size of 0 leave the choice to the network.
        size: height and width in pixels that the weights were trained on.
        resized: pixels of the shorter side before the center crop.
        mean: per channel, of images in [0, 1].
        std: per channel, of images in [0, 1].

    Raises:
        UserError: the data is grayscale.
    """
    if not images.mean and images.channels != 3:
        raise UserError("These weights were trained on RGB images. Set data.colours=rgb, or model.weights=null.")
    if images.height and not images.mean:
        return replace(images, channels=3, resized=round(images.height * resized / size), mean=mean, std=std)
    resized = 0 if images.mean else resized
    return replace(images, channels=3, height=size, width=size, mean=mean, std=std, resized=resized)


def load(net: nn.Module, loaded: Mapping[str, Tensor], what: str, is_head: Callable[[str], bool]) -> str:
    """Loads weights into a network, but for a head that predicts other classes.

    Args:
        net: changed in place.
        loaded: tensors by the network's names.
        what: where they come from, for messages.
        is_head: whether a tensor of that name belongs to the head.

    Returns:
        A sentence on what was loaded, skipped, and initialized at random.

    Raises:
        UserError: the weights belong to another network.
    """
    own = net.state_dict()
    uncounted = {name: w for name, w in loaded.items() if not name.endswith("num_batches_tracked")}
    wanted = {name: w for name, w in own.items() if not name.endswith("num_batches_tracked")}
    skipped = [n for n, w in uncounted.items() if is_head(n) and (n not in own or own[n].shape != w.shape)]
    made = [n for n in wanted if is_head(n) and (n not in loaded or n in skipped)]
    usable = {name: w for name, w in uncounted.items() if name not in skipped}
    missing = [name for name in wanted if name not in usable and name not in made]
    unexpected = [name for name in usable if name not in wanted]
    other = [name for name, w in usable.items() if name in own and own[name].shape != w.shape]
    if missing or unexpected or other:
        shapes = [f"{name} ({_shape(usable[name])}, expected {_shape(own[name])})" for name in other]
        problems = {"missing": missing, "unexpected": unexpected, "of another shape": shapes}
        listed = "; ".join(f"{problem}: {_first(names)}" for problem, names in problems.items() if names)
        raise UserError(f"{what} does not match the settings of model={type(net).__name__.lower()}; {listed}.")
    net.load_state_dict({**own, **usable})
    summary = f"{what}: {len(usable)} tensors loaded"
    if skipped:
        summary += f"; skipped {_first([f'{n} ({_shape(loaded[n])})' for n in skipped])}"
    if made:
        summary += f"; initialized at random {_first([f'{n} ({_shape(own[n])})' for n in made])}"
    return summary


def _shape(tensor: Tensor) -> str:
    return " x ".join(str(size) for size in tensor.shape) or "a scalar"


def _first(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
