"""What every dataset of texts shares: splits, targets, and loaders of token numbers."""

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from torch import Tensor

from litmus.config.protocols import Split
from litmus.config.sample import Sample
from litmus.config.types import BatchSize
from litmus.data._ahead import fits, placed_targets
from litmus.data._base import Data
from litmus.data._classes import count_classes
from litmus.data._concerns import of_texts
from litmus.data._split import are_seen, fingerprints, num_tied, select_unseen
from litmus.data._target_columns import Answer, to_tensor
from litmus.data._targets import scaled
from litmus.data.text.tokens import Ragged, RaggedAhead, TokenLoader, by_length, pieces_of, tokenize
from litmus.fetch import local
from litmus.spec import Classes, Labels, Tokens, Values

MOST_CHARACTERS = 1_200_000  # of a split, for a baseline: a million are split into words in about 0.1 s


@dataclass(frozen=True)
class Samples:
    """Texts with their targets and groups.

    Attributes:
        texts: of the samples.
        targets: of each sample.
        groups: of each sample, any number: samples with a group in common are in the same split.
    """

    texts: list[str]
    targets: list[Answer]
    groups: list[tuple[Hashable, ...]]

    def __len__(self) -> int:
        return len(self.texts)

    def rows(self, numbers: Sequence[int]) -> "Samples":
        """The samples of these numbers."""
        return Samples(
            [self.texts[i] for i in numbers], [self.targets[i] for i in numbers], [self.groups[i] for i in numbers]
        )


class TextData(Data):
    """Texts in memory; they are tokenized when `spec` has a tokenizer, and their token numbers cached.

    Attributes:
        spec: the facts of the data. The network provides the tokenizer.
        splits: the samples.
    """

    input_kinds: ClassVar = (Tokens,)
    target_kinds: ClassVar = (Classes, Labels, Values)
    splits: dict[Split, Samples]

    def __init__(self, seed: int, dir: str | None, batch_size: BatchSize, eval_batch_size: int) -> None:
        super().__init__(seed, batch_size, eval_batch_size)
        self.folder = local.cache_folder(dir)
        self.splits = {}
        self._tokens: dict[tuple[Split, str], Ragged] = {}

    @abstractmethod
    def prepare_data(self) -> None:
        """Fills `splits` and `spec`."""

    @property
    def training_texts(self) -> list[str]:
        """The texts that a vocabulary may be built from; no validation or test text is among them."""
        return self.splits["train"].texts

    @cached_property  # every checkpoint stores them
    def seen(self) -> Tensor:
        """Fingerprints of the groups of the training and validation texts, int64, for `leave_out`."""
        return fingerprints([*self.splits["train"].groups, *self.splits["val"].groups])

    @property
    def repeated(self) -> dict[Split, int]:
        return num_tied({split: samples.groups for split, samples in self.splits.items()})

    def leave_out(self, seen: Tensor) -> None:
        """Drops test texts tied to one that is among `seen`: a network was trained or selected on those.

        Raises:
            UserError: no test text is left.
        """
        test = self.splits["test"]
        fresh = select_unseen(are_seen(test.groups, seen), "texts")
        if len(fresh) < len(test):
            self.splits["test"] = test.rows(fresh)

    @property
    def sizes(self) -> dict[Split, int]:
        return {split: len(samples) for split, samples in self.splits.items()}

    def _loader(self, split: Split) -> TokenLoader:
        assert self.trainer is not None
        device = self.trainer.strategy.root_device
        tokens, targets = self._tokenized(split), placed_targets(self._scaled_targets(split), device)
        rows = tokens.to(device) if fits(tokens.values.nbytes, device) else RaggedAhead(tokens, device)
        return TokenLoader(rows, targets, self._batching(split))

    def _tokenized(self, split: Split) -> Ragged:
        assert isinstance(self.spec.input, Tokens)
        key = (split, self.spec.input.tokenizer)
        if key not in self._tokens:
            self._tokens[key] = tokenize(self.splits[split].texts, self.spec.input, self.folder / "tokens")
        return self._tokens[key]

    @property
    def concerns(self) -> list[str]:
        """Also, how many texts are truncated."""
        assert isinstance(self.spec.input, Tokens)
        num_cut = self._tokenized("train").num_cut
        return [*super().concerns, *of_texts(num_cut, self.sizes["train"], self.spec.input.max_length)]

    def counts(self, split: Split) -> Tensor:
        """Samples of each class or label, int64 (classes or labels,)."""
        return count_classes(self.targets(split), self.spec)

    @property
    def most_flat(self) -> int:
        texts = self.splits["train"].texts
        return MOST_CHARACTERS * len(texts) // max(1, sum(map(len, texts)))

    flat_noun = "words (TF-IDF)"

    def flat_inputs(self, split: Split, rows: Tensor) -> list[str]:
        texts = self.splits[split].texts
        return [texts[row] for row in rows.tolist()]

    def sample(self, split: Split, number: int) -> Sample:
        assert isinstance(self.spec.input, Tokens)
        return Sample(text=pieces_of(self.splits[split].texts[number], self.spec.input))

    def evaluation_order(self, split: Split) -> Tensor:
        return by_length(self._tokenized(split))

    def _scaled_targets(self, split: Split) -> Tensor:
        """As `targets`, but values scaled, float32 (samples, values)."""
        targets = self.targets(split)
        if isinstance(self.spec.target, Values):
            return scaled(targets, self.spec.target)
        return targets

    def targets(self, split: Split) -> Tensor:
        return to_tensor(self.splits[split].targets, self.spec.target, self.spec.data)
