"""A ready-made pipeline of the transformers library."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from litmus.errors import UserError
from litmus.fetch import hub
from litmus.inference.texts import EMPTY, TextPredictor
from litmus.record.folder import CONFIG

log = logging.getLogger(__name__)

CLASSIFIERS = ("sentiment-analysis", "text-classification")  # transformers' names of the pipelines for one text


class PipelinePredictor:
    """One of transformers' ready-made pipelines for texts.

    Args:
        task: one of `CLASSIFIERS`.
        weights: a name on the hub, or a folder; None is the pipeline's usual model.

    Raises:
        UserError: there is no such pipeline here, or its model cannot be had.
    """

    batch_size = TextPredictor.batch_size

    def __init__(self, task: str, weights: str | None) -> None:
        if task not in CLASSIFIERS:
            raise UserError(f"--pipeline {task} is not one for a text and a label: {' or '.join(CLASSIFIERS)}.")
        folder = Path(weights).expanduser() if weights else None
        here = folder is not None and folder.is_dir()
        if folder is not None and (folder / CONFIG).is_file():
            raise UserError(f"{folder} is a run: litmus predict {folder} TEXT asks it, without --pipeline.")
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
            raise UserError(
                f"--pipeline {task}: {weights or 'its default model'} is neither a folder here nor to be had from the "
                "Hugging Face hub. --weights FOLDER takes one that is here, such as `litmus export RUN --to "
                "huggingface` makes."
            ) from None

    def predict(self, texts: Sequence[str], batch_size: int) -> list[dict[str, Any]]:
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
