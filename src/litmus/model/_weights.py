"""Weights that a network begins with: out of a library's own file, a file of one's own, or a run."""

import logging
import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from torch import Tensor, nn

from litmus.errors import Unavailable, UserError
from litmus.fetch import hub
from litmus.fetch.package import sha256_of
from litmus.record.folder import RunDir
from litmus.spec import Images, Spec

log = logging.getLogger(__name__)

CHECKPOINT = "checkpoint"  # as model.weights: they follow, out of the checkpoint that rebuilds the network
SHOWN = 6  # names of tensors in a sentence


def imagenet(arch: str) -> Any:
    """Torchvision's current weights of that network: where they are, how they want pictures, what they tell apart."""
    from torchvision.models import get_model_weights

    return get_model_weights(arch).DEFAULT


def imagenet_file(arch: str) -> Path:
    """Their file, out of torch's cache if it is there: nothing is asked of a network then.

    Raises:
        Unavailable: it is neither there nor to be had.
    """
    url = imagenet(arch).url
    expected = re.search(r"-([0-9a-f]{8,})\.", Path(url).name)
    return pretrained_file(url, "imagenet", expected[1] if expected else None)


def pretrained_file(url: str, weights: str, sha256: str | None) -> Path:
    """A file of published weights, out of torch's cache if it is there, downloaded into it otherwise.

    Args:
        url: where it is published.
        weights: the value of `model.weights` that asks for it.
        sha256: with which its hash begins, where that is known.

    Raises:
        Unavailable: it is neither there nor to be had.
    """
    path = Path(torch.hub.get_dir(), "checkpoints", Path(url).name)
    if path.is_file():
        if sha256 and not sha256_of(path).startswith(sha256):
            log.warning("%s is not the published file (its sha256 is another); it is used all the same.", path)
        return path
    reason = "there is no connection"
    if hub.connects(url):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            torch.hub.download_url_to_file(url, str(path), sha256)
            return path
        except (OSError, URLError, RuntimeError) as error:  # RuntimeError: another hash than it should be
            reason = str(error)
    raise Unavailable(weights, f"{path} is not there, and {url} cannot be downloaded ({reason}). Put the file there")


def read(path: Path, what: str) -> dict[str, Any]:
    """A file of tensors and plain values; nothing in it is run.

    Raises:
        UserError: there is no such file, it is damaged, or it holds more than that.
    """
    if not path.is_file():
        raise UserError(f"{what}: there is no such file.")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        said = f"it asks for {named[1]}" if named else "it is no file of torch's, or a damaged one"
        raise UserError(f"{what} is not a file of weights alone ({said}). It was not opened further.") from None
    except Exception as error:  # of many kinds, by how the file is damaged
        first = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(f"{what} cannot be read: {first}.") from None
    if not isinstance(content, dict):
        raise UserError(f"{what} holds {type(content).__name__}, not weights by their names.")
    return content


def checkpoint_of(weights: str) -> Path:
    """The file that `model.weights` names: itself, or a run folder's best weights."""
    path = Path(weights).expanduser()
    if not path.is_dir():
        if not path.is_file():
            raise UserError(f"model.weights={weights}: there is no such file or folder.")
        return path
    run = RunDir(path)
    if not run.best.is_file():
        raise UserError(f"model.weights={weights} is a folder, but not a run's with a {run.best.name} in it.")
    return run.best


def tensors(weights: str, ours: Callable[[str], str]) -> dict[str, Tensor]:
    """The tensors of a file or a run, by a network's own names.

    Args:
        weights: a file or a run's folder.
        ours: from another library's name to the network's.
    """
    what = f"model.weights={weights}"
    content = read(checkpoint_of(weights), what)
    if "spec" in content:  # a checkpoint of litmus
        return {name.removeprefix("net."): w for name, w in content["state_dict"].items() if name.startswith("net.")}
    for key in ("state_dict", "model"):
        content = content[key] if isinstance(content.get(key), dict) else content
    found = {ours(name.removeprefix("module.")): w for name, w in content.items() if isinstance(w, Tensor)}
    if not found:
        raise UserError(f"{what} holds no tensors.")
    return found


def spec_of(weights: str) -> Spec | None:
    """What a run's network reads; None for weights of another origin."""
    path = checkpoint_of(weights)
    content = read(path, f"model.weights={weights}")
    return Spec.from_plain(content["spec"]) if "spec" in content else None


def input_spec(images: Images, size: int, resized: int, mean: tuple[float, ...], std: tuple[float, ...]) -> Images:
    """Pictures as weights were trained on them: in colour, of their size unless the data was given one, their scale.

    Data that is stored in a size of its own is scaled to theirs whole: nothing is cut out.
    """
    if not images.mean and images.channels != 3:
        raise UserError("These weights were trained on pictures in colour: data.colours=rgb, or model.weights=null.")
    if images.height and not images.mean:
        return replace(images, channels=3, resized=round(images.height * resized / size), mean=mean, std=std)
    return Images(3, size, size, mean, std, 0 if images.mean else resized)


def load(net: nn.Module, loaded: Mapping[str, Tensor], what: str, is_head: Callable[[str], bool]) -> str:
    """Puts weights into a network; a head for other classes is left as it is.

    Args:
        net: changed in place.
        loaded: by its names.
        what: where they come from, for sentences.
        is_head: whether a tensor of that name belongs to the head.

    Returns:
        What was loaded, skipped, and newly made.

    Raises:
        UserError: they are another network's.
    """
    own = net.state_dict()
    uncounted = {name: w for name, w in loaded.items() if not name.endswith("num_batches_tracked")}
    wanted = {name: w for name, w in own.items() if not name.endswith("num_batches_tracked")}
    skipped = [n for n, w in uncounted.items() if is_head(n) and (n not in own or own[n].shape != w.shape)]
    made = [n for n in wanted if is_head(n) and (n not in loaded or n in skipped)]
    usable = {name: w for name, w in uncounted.items() if name not in skipped}
    missing = [name for name in wanted if name not in usable and name not in made]
    unexpected = [name for name in usable if name not in wanted]
    other = [
        f"{n} ({_shape(w)}, here {_shape(own[n])})" for n, w in usable.items() if n in own and own[n].shape != w.shape
    ]
    if missing or unexpected or other:
        parts = {"it lacks": missing, "it has besides": unexpected, "of another shape": other}
        said = "; ".join(f"{which} {_some(names)}" for which, names in parts.items() if names)
        raise UserError(f"{what} does not fit {type(net).__name__.lower()} as it is set: {said}.")
    net.load_state_dict({**own, **usable})
    said = f"{what}: {len(usable)} tensors loaded"
    if skipped:
        said += f"; skipped {_some([f'{n} ({_shape(loaded[n])})' for n in skipped])}"
    if made:
        said += f"; newly made {_some([f'{n} ({_shape(own[n])})' for n in made])}"
    return said


def _shape(tensor: Tensor) -> str:
    return " x ".join(str(size) for size in tensor.shape) or "a number"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
