"""Predictions of a ready-made pipeline of the transformers library for texts."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from litmus.errors import UserError
from litmus.fetch import hub
from litmus.inference.prediction import TOPK, Figures, TextPrediction
from litmus.inference.texts import EMPTY, TextPredictor
from litmus.record.folder import CONFIG
from litmus.spec import Input, Tokens

log = logging.getLogger(__name__)

CLASSIFIERS = ("sentiment-analysis", "text-classification")  # transformers' names of the pipelines for one text
UNLIMITED = 10**6  # tokens; transformers marks tokenizers without a maximum length by a far larger number


class PipelinePredictor:
    """Predicts a class or values for texts, with a pipeline of transformers.

    Args:
        task: one of `CLASSIFIERS`.
        weights: a name on the hub, or a folder; None selects the pipeline's default model.
        device: `cpu`, `cuda` or `mps`.

    Raises:
        UserError: the task is not supported, or its model is not available.
    """

    input_kind: ClassVar[type[Input]] = Tokens
    batch_size = TextPredictor.batch_size

    def __init__(self, task: str, weights: str | None, device: str) -> None:
        if task not in CLASSIFIERS:
            raise UserError(f"--pipeline {task} is not supported. Choose one of: {', '.join(CLASSIFIERS)}.")
        folder = Path(weights).expanduser() if weights else None
        local = folder is not None and folder.is_dir()
        if folder is not None and (folder / CONFIG).is_file():
            raise UserError(f"{folder} is a run folder. Use litmus predict {folder} TEXT, without --pipeline.")
        with hub.quiet():
            self.pipe = _make_pipeline(task, str(folder) if local else weights, device, local or not hub.reachable())
        self.max_length = min(self.pipe.tokenizer.model_max_length, UNLIMITED)
        config = self.pipe.model.config
        self.key: Figures = "values" if getattr(config, "problem_type", None) == "regression" else "probabilities"
        self.names: tuple[str, ...] = tuple(config.id2label.values())

    def predict(self, texts: Sequence[str], batch_size: int, topk: int = TOPK) -> list[TextPrediction]:
        """As `TextPredictor.predict`."""
        filled = [text for text in texts if text.strip()]
        results = iter(self.pipe(filled, batch_size=batch_size, top_k=None, truncation=True) if filled else [])
        lengths = iter([len(row) for row in self.pipe.tokenizer(filled)["input_ids"]] if filled else [])
        predictions: list[TextPrediction] = []
        for text in texts:
            if not text.strip():
                predictions.append({"text": text, "note": EMPTY})
                continue
            prediction = self._prediction(text, {entry["label"]: entry["score"] for entry in next(results)}, topk)
            if next(lengths) > self.max_length:
                prediction["note"] = f"cut to its first {self.max_length} tokens"
            predictions.append(prediction)
        return predictions

    def _prediction(self, text: str, scores: dict[str, float], topk: int) -> TextPrediction:
        if self.key == "values":
            return {"text": text, "values": scores}
        best = sorted(scores, key=scores.__getitem__, reverse=True)[:topk]
        return {"text": text, "label": best[0], "probabilities": {name: scores[name] for name in best}}


def _make_pipeline(task: str, weights: str | None, device: str, local: bool) -> Any:
    """The library's pipeline, whose class depends on the task."""
    from transformers import pipeline

    make: Any = pipeline  # its types do not allow a task that is a variable
    try:
        return make(task, model=weights, device=device, trust_remote_code=False, local_files_only=local)
    except Exception as error:  # the library raises errors of many others for what it cannot download or read
        log.info("%s", error, exc_info=True)
        raise UserError(
            f"--pipeline {task}: {weights or 'its default model'} is neither a local folder nor available from the "
            "Hugging Face Hub. Set --weights to a local folder, such as litmus export RUN --to huggingface writes."
        ) from None
