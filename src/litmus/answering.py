"""A trained network out of its run folder, and what it answers."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from litmus import hub
from litmus.check import Refused
from litmus.data._text import on_one_line
from litmus.data._tokens import encoded, ragged
from litmus.run import rebuilt
from litmus.rundir import CONFIG, RunDir
from litmus.spec import Tokens, Values

log = logging.getLogger(__name__)

EMPTY = "empty: no answer"
CLASSIFIERS = ("sentiment-analysis", "text-classification")  # transformers' names of the pipelines for one text


class Answering:
    """A run's best network, asked about texts.

    Raises:
        Refused: the run has no weights yet, or reads no texts.
    """

    def __init__(self, run: RunDir) -> None:
        self.net = rebuilt(run)
        if not isinstance(self.net.spec.input, Tokens):
            raise Refused(
                f"{run.path} reads {self.net.spec.input.noun}; litmus predict asks about texts. litmus export writes "
                "its network for programs of your own."
            )

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


class Pipeline:
    """One of transformers' ready-made pipelines for texts.

    Args:
        task: one of `CLASSIFIERS`.
        weights: a name on the hub, or a folder; None is the pipeline's usual model.

    Raises:
        Refused: there is no such pipeline here, or its model cannot be had.
    """

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
        """As `Answering.answers`."""
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
