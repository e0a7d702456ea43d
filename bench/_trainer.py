"""Hugging Face's own Trainer, fine-tuning the same encoder on the same snippets, as one would write it."""

import tempfile
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from litmus.model._preflight import minilm

FOLDER = str(minilm().parent)


class Snippets(torch.utils.data.Dataset[dict[str, Any]]):
    """Tokenized texts; padded to 128 tokens here, or batch by batch later."""

    def __init__(self, texts: list[str], labels: list[int], padded: bool) -> None:
        tokenizer = AutoTokenizer.from_pretrained(FOLDER)
        padding = {"padding": "max_length"} if padded else {}
        self.encoded = tokenizer(texts, truncation=True, max_length=128, **padding)
        self.labels = labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return {**{key: values[i] for key, values in self.encoded.items()}, "labels": self.labels[i]}


class _BestOnValidation(TrainerCallback):  # type: ignore[misc]  # whose types are not read
    """Keeps the accuracy on the test snippets of the epoch that validation chose."""

    def __init__(self, test: Snippets) -> None:
        self.test = test
        self.best = (-1.0, -1.0)
        self.trainer: Any = None
        self.busy = False

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any = None, **rest: Any) -> None:
        if self.busy or metrics["eval_accuracy"] <= self.best[0]:
            return
        self.busy = True
        tested = self.trainer.predict(self.test).metrics["test_accuracy"]
        self.best = (metrics["eval_accuracy"], tested)
        self.busy = False


def train(
    train: tuple[list[str], list[int]],
    val: tuple[list[str], list[int]] | None,
    test: tuple[list[str], list[int]] | None,
    *,
    padded: bool,
    epochs: int,
    seed: int,
    batch_size: int = 32,
    use_cpu: bool = True,
) -> dict[str, float]:
    """Trains with default settings but for the batch size.

    Returns:
        `samples_per_second` of the training; with `val` and `test`, also `val` and `test`, the accuracies of the
        epoch that validation chose.
    """
    torch.manual_seed(seed)
    model = AutoModelForSequenceClassification.from_pretrained(FOLDER, num_labels=2)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    chooser = _BestOnValidation(Snippets(*test, padded)) if test else None
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=batch_size,
            num_train_epochs=epochs,
            seed=seed,
            use_cpu=use_cpu,
            eval_strategy="epoch" if val else "no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        trainer = Trainer(
            model,
            arguments,
            train_dataset=Snippets(*train, padded),
            eval_dataset=Snippets(*val, padded) if val else None,
            data_collator=DataCollatorWithPadding(tokenizer),
            compute_metrics=lambda found: {"accuracy": float(np.mean(found[0].argmax(1) == found[1]))},
            callbacks=[chooser] if chooser else [],
        )
        if chooser:
            chooser.trainer = trainer
        metrics = trainer.train().metrics
    speed = {"samples_per_second": float(metrics["train_samples_per_second"])}
    return {**speed, "val": chooser.best[0], "test": chooser.best[1]} if chooser else speed
