"""What every dataset of texts shares: parts, targets, and loaders of token numbers."""

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import platformdirs
import torch
from torch import Tensor

from litmus.config.protocols import Split
from litmus.data._base import Data, counted, few
from litmus.data._loader import as_stored
from litmus.data._split import fingerprints, unseen
from litmus.data.text.tokens import Ragged, TokenLoader, tokenised
from litmus.errors import UserError
from litmus.spec import Tokens, Values


@dataclass(frozen=True)
class Samples:
    """Texts, what should be said of each (a class's name, or a number), and what ties it to others (see `_split`)."""

    texts: list[str]
    targets: list[Any]
    groups: list[tuple[Hashable, ...]]

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, numbers: Sequence[int]) -> "Samples":
        columns = (self.texts, self.targets, self.groups)
        return Samples(*([column[i] for i in numbers] for column in columns))  # type: ignore[arg-type]  # in order


class TextData(Data):
    """Texts in memory; their token numbers are made when `spec` has a tokenizer, and kept in the cache folder.

    Attributes:
        spec: the facts of the data. Its tokenizer is the network's to bring: `run` puts it there.
        parts: the samples.
    """

    parts: dict[Split, Samples]

    def __init__(self, seed: int, dir: str | None, batch_size: int, eval_batch_size: int) -> None:
        super().__init__(seed, batch_size, eval_batch_size)
        self.folder = Path(dir or platformdirs.user_cache_dir("litmus")).expanduser()
        self.parts = {}
        self._tokens: dict[tuple[Split, str], Ragged] = {}

    @abstractmethod
    def prepare_data(self) -> None:
        """Fills `parts` and `spec`."""

    @property
    def training_texts(self) -> list[str]:
        """What a vocabulary may be made of: no word of the validation or test texts."""
        return self.parts["train"].texts

    @cached_property  # every checkpoint asks for them
    def seen(self) -> Tensor:
        """Fingerprints of all that is tied to the training and validation texts, for `leave_out`."""
        return fingerprints([*self.parts["train"].groups, *self.parts["val"].groups])

    def leave_out(self, seen: Tensor) -> None:
        """Tests on no text that was seen, nor on one tied to it: a network was trained or chosen on those.

        Raises:
            UserError: nothing is left.
        """
        test = self.parts["test"]
        fresh = unseen(test.groups, seen, "texts")
        if len(fresh) < len(test):
            self.parts["test"] = test.rows(fresh)

    @property
    def sizes(self) -> dict[Split, int]:
        return {part: len(samples) for part, samples in self.parts.items()}

    def _loader(self, part: Split) -> TokenLoader:
        assert self.trainer is not None
        assert isinstance(self.spec.input, Tokens)
        device = self.trainer.strategy.root_device
        key = (part, self.spec.input.tokenizer)
        if key not in self._tokens:
            self._tokens[key] = tokenised(self.parts[part].texts, self.spec.input, self.folder / "tokens")
        tokens, targets = self._tokens[key].to(device), self._targets(part).to(device)
        return TokenLoader(tokens, targets, as_stored, self._batching(part))

    @property
    def class_counts(self) -> Tensor:
        """Training samples of each class."""
        return counted(self._targets("train"), self.spec)

    def _targets(self, part: Split) -> Tensor:
        """Class numbers, int64 (samples,); or scaled values, float32 (samples, 1)."""
        targets = self.parts[part].targets
        if isinstance(self.spec.target, Values):
            mean, std = self.spec.target.mean[0], self.spec.target.std[0]
            return ((torch.tensor(targets, dtype=torch.float64) - mean) / std).float().reshape(-1, 1)
        number = {name: i for i, name in enumerate(self.spec.target.names)}
        if unknown := sorted(set(targets) - set(number)):
            raise UserError(f"data={self.spec.data} has classes that the network was not trained on: {few(unknown)}.")
        return torch.tensor([number[name] for name in targets], dtype=torch.int64)


def values(name: str, training: Sequence[float]) -> Values:
    """One number to predict, with the mean and deviation of its training part.

    Raises:
        UserError: the training targets are all the same.
    """
    numbers = torch.tensor(training, dtype=torch.float64)
    std = float(numbers.std(correction=0))
    if not std > 0:
        raise UserError(f"Every training text has the same {name}: there is nothing to learn.")
    return Values((name,), (float(numbers.mean()),), (std,))


def on_one_line(text: str) -> str:
    """The text without line breaks, NULs and runs of spaces, to which no tokenizer here gives a meaning."""
    return " ".join(text.replace("\0", " ").split())
