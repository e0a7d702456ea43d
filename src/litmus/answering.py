"""A trained network, and what it answers about texts and pictures."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from litmus.data.image.base import Normalise
from litmus.data.image.cache import in_threads
from litmus.data.image.decode import Broken, Photo, placed
from litmus.data.text.base import on_one_line
from litmus.data.text.tokens import encoded, ragged
from litmus.errors import Refused
from litmus.fetch import hub
from litmus.rundir import CONFIG
from litmus.spec import Boxes, Images, Tokens, Values

log = logging.getLogger(__name__)

EMPTY = "empty: no answer"
CLASSIFIERS = ("sentiment-analysis", "text-classification")  # transformers' names of the pipelines for one text


def asked(net: Any) -> "Texts | Pictures":
    """What answers for a network, by what it reads.

    Raises:
        Refused: it reads neither texts nor pictures.
    """
    read = net.spec.input
    if isinstance(read, Tokens):
        return Texts(net)
    if isinstance(read, Images):
        return Pictures(net)
    raise Refused(
        f"The network reads {read.noun}; litmus predict asks about texts and pictures. litmus export RUN writes it for "
        "programs of your own."
    )


class Texts:
    """A network, asked about texts."""

    batch_size = 64

    def __init__(self, net: Any) -> None:
        self.net = net

    def answers(self, texts: Sequence[str], batch_size: int) -> list[dict[str, Any]]:
        """One for each text, in their order: `text`, `label` and `probabilities`, or `values`; maybe a `note`."""
        read = self.net.spec.input
        asked = [on_one_line(text) for text in texts]
        made = encoded(asked, read)
        rows = ragged(made, read)
        found: list[dict[str, Any]] = [{"text": text} for text in texts]
        order = sorted((i for i, text in enumerate(asked) if text), key=lambda i: int(rows.lengths[i]))
        for start in range(0, len(order), batch_size):
            numbers = order[start : start + batch_size]
            for i, answer in zip(numbers, self._batch(rows.padded(torch.tensor(numbers))), strict=True):
                found[i] |= answer
                notes = [f"cut to its first {read.max_length} tokens"] if made["cut"][i] else []
                notes += ["no word of it is known"] if made["unknown"][i] else []
                found[i] |= {"note": "; ".join(notes)} if notes else {}
        for i, text in enumerate(asked):
            if not text:
                found[i]["note"] = EMPTY
        return found

    def _batch(self, tokens: torch.Tensor) -> list[dict[str, Any]]:
        with torch.inference_mode():
            outputs = self.net(tokens).float()
        target = self.net.spec.target
        if isinstance(target, Values):
            values = (outputs * torch.tensor(target.std) + torch.tensor(target.mean)).tolist()
            return [{"values": dict(zip(target.names, row, strict=True))} for row in values]
        probabilities = outputs.softmax(dim=1)
        best = probabilities.argmax(dim=1).tolist()
        return [
            {"label": target.names[i], "probabilities": dict(zip(target.names, row, strict=True))}
            for i, row in zip(best, probabilities.tolist(), strict=True)
        ]


class Pictures:
    """A network, asked about pictures in files."""

    batch_size = 16

    def __init__(self, net: Any) -> None:
        self.net = net
        self.draws = isinstance(net.spec.target, Boxes)

    def answers(self, paths: Sequence[Path], batch_size: int, topk: int, min_score: float) -> Iterator[dict[str, Any]]:
        """One for each, in their order: `image`, and `error`, or `label` and `probabilities`, or `boxes`."""
        for start in range(0, len(paths), batch_size):
            some = paths[start : start + batch_size]
            found = [{"image": str(path)} for path in some]
            photos: dict[int, Photo] = {}
            for i, (_, photo) in enumerate(in_threads(some, self.net.spec.input)):
                if isinstance(photo, Broken):
                    found[i]["error"] = str(photo)
                else:
                    photos[i] = photo
            if photos:
                made = self._batch(list(photos.values()), topk, min_score)
                for i, answer in zip(photos, made, strict=True):
                    found[i] |= answer | ({"note": photos[i].note} if photos[i].note else {})
            yield from found

    def _batch(self, photos: list[Photo], topk: int, min_score: float) -> list[dict[str, Any]]:
        spec = self.net.spec
        pixels = torch.from_numpy(np.stack([photo.pixels for photo in photos]))
        normalised = Normalise(spec.input, None, torch.device("cpu"))
        with torch.inference_mode():
            outputs = self.net(normalised(pixels, torch.Generator(), len(pixels), slice(None)))
            if self.draws:
                boxes = self.net.boxes(outputs, min_score, several=False)
                return [self._named(own, photo.size) for own, photo in zip(boxes, photos, strict=True)]
        probabilities = outputs.float().softmax(dim=1)
        best = probabilities.topk(min(topk, probabilities.shape[1]), dim=1)
        names = spec.target.names
        return [
            {"label": names[which[0]], "probabilities": {names[i]: p for i, p in zip(which, values, strict=True)}}
            for which, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    def _named(self, boxes: torch.Tensor, size: tuple[int, int]) -> dict[str, Any]:
        """Boxes in the photo's own pixels: left, top, right, bottom."""
        (height, width), left, top = placed(size, self.net.spec.input)
        scale = boxes.new_tensor([size[1] / width, size[0] / height] * 2)
        edges = (boxes[:, :4] - boxes.new_tensor([left, top] * 2)) * scale
        edges = edges.clamp(min=0).minimum(boxes.new_tensor([size[1], size[0]] * 2))
        names = self.net.spec.target.names
        return {
            "boxes": [
                {"label": names[int(number)], "score": score, "box": [round(edge, 1) for edge in edge_row]}
                for edge_row, (score, number) in zip(edges.tolist(), boxes[:, 4:].tolist(), strict=True)
            ]
        }


class Pipeline:
    """One of transformers' ready-made pipelines for texts.

    Args:
        task: one of `CLASSIFIERS`.
        weights: a name on the hub, or a folder; None is the pipeline's usual model.

    Raises:
        Refused: there is no such pipeline here, or its model cannot be had.
    """

    batch_size = Texts.batch_size

    def __init__(self, task: str, weights: str | None) -> None:
        if task not in CLASSIFIERS:
            raise Refused(f"--pipeline {task} is not one for a text and a label: {' or '.join(CLASSIFIERS)}.")
        folder = Path(weights).expanduser() if weights else None
        here = folder is not None and folder.is_dir()
        if folder is not None and (folder / CONFIG).is_file():
            raise Refused(f"{folder} is a run: litmus predict {folder} TEXT asks it, without --pipeline.")
        with hub.quiet():
            self.pipe = self._made(task, str(folder) if here else weights, here or not hub.reachable())
        self.longest = min(self.pipe.tokenizer.model_max_length, 10**6)
        self.rates = getattr(self.pipe.model.config, "problem_type", None) == "regression"

    @staticmethod
    def _made(task: str, weights: str | None, local: bool) -> Any:
        from transformers import pipeline

        build: Any = pipeline  # its types allow no task that is a variable
        try:
            return build(task, model=weights, trust_remote_code=False, local_files_only=local)
        except Exception as error:  # whatever a library of many libraries raises for what it cannot get or read
            log.info("%s", error, exc_info=True)
            raise Refused(
                f"--pipeline {task}: {weights or 'its default model'} is neither a folder here nor to be had from the "
                "Hugging Face hub. --weights FOLDER takes one that is here, such as `litmus export RUN --to "
                "huggingface` makes."
            ) from None

    def answers(self, texts: Sequence[str], batch_size: int) -> list[dict[str, Any]]:
        """As `Texts.answers`."""
        worth = [text for text in texts if text.strip()]
        given = iter(self.pipe(worth, batch_size=batch_size, top_k=None, truncation=True) if worth else [])
        lengths = iter(len(row) for row in self.pipe.tokenizer(worth)["input_ids"]) if worth else iter(())
        found: list[dict[str, Any]] = []
        for text in texts:
            if not text.strip():
                found.append({"text": text, "note": EMPTY})
                continue
            scores = {entry["label"]: entry["score"] for entry in next(given)}
            if self.rates:
                answer: dict[str, Any] = {"text": text, "values": scores}
            else:
                answer = {"text": text, "label": max(scores, key=scores.__getitem__), "probabilities": scores}
            if next(lengths) > self.longest:
                answer["note"] = f"cut to its first {self.longest} tokens"
            found.append(answer)
        return found
