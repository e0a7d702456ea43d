"""What every dataset of texts shares: parts, targets, and loaders of token numbers."""

import html
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as lightning
import platformdirs
import torch
from torch import Tensor

from litmus.check import Refused
from litmus.data._loader import as_stored, num_used
from litmus.data._tokens import Ragged, TokenLoader, tokenised
from litmus.spec import Classes, Spec, Tokens, Values

Part = Literal["train", "val", "test"]


@dataclass(frozen=True)
class Samples:
    """Texts, and what should be said of each: a class's name, or a number."""

    texts: list[str]
    targets: list[Any]

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, numbers: Sequence[int]) -> "Samples":
        return Samples([self.texts[i] for i in numbers], [self.targets[i] for i in numbers])


class TextData(lightning.LightningDataModule):
    """Texts in memory; their token numbers are made when `spec` has a tokenizer, and kept in the cache folder.

    Attributes:
        spec: the facts of the data. Its tokenizer is the network's to bring: `run` puts it there.
        parts: the samples.
        source: where they came from.
        sha256: of the files, by name.
        warning: a sentence about what a result on this data does not mean, or None.
    """

    spec: Spec
    parts: dict[Part, Samples]

    def __init__(self, seed: int, dir: str | None, batch_size: int, eval_batch_size: int) -> None:
        super().__init__()
        self.seed = seed
        self.folder = Path(dir or platformdirs.user_cache_dir("litmus")).expanduser()
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.parts = {}
        self.source = ""
        self.sha256: dict[str, str] = {}
        self.warning: str | None = None
        self._tokens: dict[tuple[Part, str], Ragged] = {}

    @abstractmethod
    def prepare_data(self) -> None:
        """Fills `parts` and `spec`."""

    @property
    def training_texts(self) -> list[str]:
        """What a vocabulary may be made of: no word of the validation or test texts."""
        return self.parts["train"].texts

    @property
    def num_batches(self) -> int:
        """Training steps in an epoch."""
        world_size = self.trainer.world_size if self.trainer else 1
        return math.ceil(num_used(len(self.parts["train"]), self.batch_size, world_size) / self.batch_size)

    @property
    def facts(self) -> dict[str, Any]:
        """What a result should say of the data it was reached on."""
        sizes: dict[str, int] = {name: len(samples) for name, samples in self.parts.items()}
        return {"source": self.source, **sizes, "sha256": self.sha256, "warning": self.warning}

    def train_dataloader(self) -> TokenLoader:
        return self._loader("train")

    def val_dataloader(self) -> TokenLoader:
        return self._loader("val")

    def test_dataloader(self) -> TokenLoader:
        return self._loader("test")

    def _loader(self, part: Part) -> TokenLoader:
        assert self.trainer is not None
        assert isinstance(self.spec.input, Tokens)
        device = self.trainer.strategy.root_device
        key = (part, self.spec.input.tokenizer)
        if key not in self._tokens:
            self._tokens[key] = tokenised(self.parts[part].texts, self.spec.input, self.folder / "tokens")
        training = part == "train"
        return TokenLoader(
            self._tokens[key].to(device),
            self._targets(part).to(device),
            batch_size=self.batch_size if training else self.eval_batch_size,
            transform=as_stored,
            seed=self.seed,
            shuffle=training,
            rank=self.trainer.global_rank,
            world_size=self.trainer.world_size,
        )

    def _targets(self, part: Part) -> Tensor:
        """Class numbers, int64 (samples,); or values, float32 (samples, 1)."""
        targets = self.parts[part].targets
        if isinstance(self.spec.target, Values):
            return torch.tensor(targets, dtype=torch.float32).reshape(-1, 1)
        number = {name: i for i, name in enumerate(self.spec.target.names)}
        if unknown := sorted(set(targets) - set(number)):
            raise Refused(
                f"data={self.spec.data} has classes that the network was not trained on: {', '.join(unknown[:10])}."
            )
        return torch.tensor([number[name] for name in targets], dtype=torch.int64)


def values(name: str, training: Sequence[float]) -> Values:
    """One number to predict, with the mean and deviation of its training part.

    Raises:
        Refused: the training targets are all the same.
    """
    numbers = torch.tensor(training, dtype=torch.float64)
    std = float(numbers.std(correction=0))
    if not std > 0:
        raise Refused(f"Every training text has the same {name}: there is nothing to learn.")
    return Values((name,), (float(numbers.mean()),), (std,))


def classes(names: Sequence[str], training: Sequence[str], what: str) -> Classes:
    """Classes in the given order.

    Raises:
        Refused: there is only one, or one has no training text.
    """
    if len(names) < 2:
        raise Refused(f"{what} has one class only ({', '.join(names)}): there is nothing to tell apart.")
    if missing := [name for name in names if name not in set(training)]:
        raise Refused(f"{what}: no training text has the class {', '.join(missing)}.")
    return Classes(tuple(names))


def readable(text: str) -> str:
    """The text with HTML's entities as the letters they stand for, on one line."""
    return " ".join(html.unescape(text).replace("\0", " ").split())
