"""Texts as token numbers: tokenized once, cached on disk, and batched by length."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Generator, Tensor

from litmus.config.sample import CUT, UNKNOWN, Piece
from litmus.data._ahead import Ahead, moved
from litmus.data._loader import Batching, BatchLoader, as_stored
from litmus.fetch.room import make_room
from litmus.spec import Tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

log = logging.getLogger(__name__)

ENTRY = r"[0-9a-f]{64}\.npz"
MOST_BYTES = 2 * 10**9  # of the cache: entries that were unused for longest make room for new ones
CHUNK = 10_000  # texts tokenized at a time: the library's encoding of each takes some kilobytes
POOL = 50  # batches among which samples are sorted by length: enough that a batch holds hardly any padding


class Encoded(TypedDict):
    """Texts as token numbers, end to end.

    Attributes:
        values: int32 (all tokens,).
        lengths: tokens of each text, int64 (texts,).
        cut: which texts were truncated, bool (texts,).
    """

    values: NDArray[np.int32]
    lengths: NDArray[np.int64]
    cut: NDArray[np.bool_]


class EncodedTexts(Encoded):
    """Also says which texts consist of unknown tokens only, `unknown`, bool (texts,)."""

    unknown: NDArray[np.bool_]


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths, end to end.

    The values lie on the device that trains. Where rows begin and end is known to the processor: to ask the device for
    the longest of a batch would wait for all that it still has to do.

    Attributes:
        values: int32 (sum of lengths,).
        starts: int64 (rows,), where each row begins; on the CPU.
        lengths: int64 (rows,), each at least 1; on the CPU.
        padding: the number that pads a row to the length of another.
        num_cut: of the rows, how many are texts that were truncated.
    """

    values: Tensor
    starts: Tensor
    lengths: Tensor
    padding: int
    num_cut: int = 0

    @property
    def device(self) -> torch.device:
        """Of the numbers by which rows are asked for."""
        return self.lengths.device

    def to(self, device: torch.device) -> "Ragged":
        return replace(self, values=self.values.to(device))

    def index_select(self, _: int, rows: Tensor) -> Tensor:
        """See `padded`; a loader reads rows by this name, as those of a tensor."""
        return self.padded(rows)

    def __getitem__(self, rows: slice) -> Tensor:
        return self.padded(torch.arange(len(self.lengths))[rows])

    def padded(self, rows: Tensor) -> Tensor:
        """These rows, int64 (len(rows), length of the longest of them), on the device of the values."""
        lengths, device = self.lengths[rows], self.values.device
        longest = int(lengths.max()) if len(rows) else 1
        starts, lengths = moved(torch.stack([self.starts[rows], lengths])[..., None], device)
        columns = torch.arange(longest, device=device)
        inside = columns < lengths
        positions = torch.where(inside, starts + columns, 0)
        return torch.where(inside, self.values[positions].long(), self.padding)


class RaggedAhead(Ahead):
    """Rows that stay on the CPU: those of a batch are padded there while the device trains on the last one.

    Attributes:
        lengths: see `Ragged`.
    """

    def __init__(self, rows: Ragged, device: torch.device) -> None:
        super().__init__(lambda: nullcontext(rows.padded), device)
        self.lengths = rows.lengths


class TokenLoader(BatchLoader):
    """Batches of texts of about the same length, each padded to its longest text.

    In training, the samples are shuffled, sorted by length within pools of 50 batches, and the
    batches shuffled again. Otherwise they are sorted by length, which changes no metric.
    """

    inputs: Ragged | RaggedAhead

    def __init__(self, inputs: Ragged | RaggedAhead, targets: Tensor, batching: Batching) -> None:
        super().__init__(inputs, targets, as_stored, batching)

    def _order(self, generator: Generator) -> Tensor:
        lengths = self.inputs.lengths
        batch_size = self.batching.batch_size
        if not self.batching.shuffle:
            return by_length(self.inputs)
        order = torch.randperm(len(lengths), generator=generator)
        num_full = len(order) // batch_size
        full, rest = order[: num_full * batch_size], order[num_full * batch_size :]
        pools = [pool[torch.argsort(lengths[pool], stable=True)] for pool in full.split(POOL * batch_size)]
        batches = torch.cat([*pools, rest[:0]]).reshape(num_full, batch_size)
        return torch.cat([batches[torch.randperm(num_full, generator=generator)].flatten(), rest])


def by_length(rows: Ragged | RaggedAhead) -> Tensor:
    """The numbers of the rows, the shortest first, as evaluation reads them: int64 (rows,)."""
    return torch.argsort(rows.lengths, stable=True)


def tokenize(texts: Sequence[str], tokens: Tokens, cache: Path | None) -> Ragged:
    """The texts' token numbers, from the cache if the same texts were tokenized by the same tokenizer before.

    Args:
        texts: any texts; one without tokens becomes a single padding token.
        tokens: tokenizer and maximum length.
        cache: a folder, whose files are named by a hash of texts and tokenizer; None disables the cache.
    """
    digest = hashlib.sha256(f"{tokens.tokenizer}\0{tokens.max_length}\0{tokens.padding}\0".encode())
    for text in texts:
        digest.update(f"{len(text)}\0{text}".encode("utf-8", "surrogatepass"))
    path = cache / f"{digest.hexdigest()}.npz" if cache else None
    encoded = _load(path) if path else None
    if encoded is None:
        encoded = encode(texts, tokens)
        if path:
            _save(path, encoded)
    return to_ragged(encoded, tokens)


def to_ragged(encoded: Encoded, tokens: Tokens) -> Ragged:
    """The rows of what `encode` returned."""
    values, lengths = torch.from_numpy(encoded["values"]), torch.from_numpy(encoded["lengths"])
    return Ragged(values, lengths.cumsum(0) - lengths, lengths, tokens.padding, int(encoded["cut"].sum()))


def encode(texts: Sequence[str], tokens: Tokens) -> EncodedTexts:
    """Tokenizes texts; one without tokens becomes a single padding token."""
    tokenizer = _tokenizer(tokens.tokenizer)
    tokenizer.enable_truncation(tokens.max_length)
    rows: list[NDArray[np.int32]] = []
    cut: list[bool] = []
    unknown: list[bool] = []
    unknown_numbers = _unknown_numbers(tokenizer, tokens)
    for start in range(0, len(texts), CHUNK):
        for encoding in tokenizer.encode_batch(list(texts[start : start + CHUNK])):
            rows.append(np.array(encoding.ids or [tokens.padding], dtype=np.int32))
            cut.append(bool(encoding.overflowing))
            words = [i for i, special in zip(encoding.ids, encoding.special_tokens_mask, strict=True) if not special]
            unknown.append(unknown_numbers.issuperset(words))
    values = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int32)
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    return {"values": values, "lengths": lengths, "cut": np.array(cut), "unknown": np.array(unknown)}


def pieces_of(text: str, tokens: Tokens) -> tuple[Piece, ...]:
    """A text in pieces: what the tokenizer does not know, and what is truncated, apart from the rest."""
    tokenizer = _shown_by(tokens.tokenizer)
    tokenizer.no_truncation()
    encoding = tokenizer.encode(text)
    room = tokens.max_length - tokenizer.num_special_tokens_to_add(False)
    numbers = zip(encoding.ids, encoding.offsets, encoding.special_tokens_mask, strict=True)
    words = [(number, span) for number, span, special in numbers if not special]
    end = words[room - 1][1][1] if len(words) > room > 0 else len(text)
    unknown = _unknown_numbers(tokenizer, tokens)
    pieces, done = [], 0
    for number, (first, last) in words[:room]:
        if number in unknown and first >= done:
            pieces += [Piece(text[done:first], ""), Piece(text[first:last], UNKNOWN)]
            done = last
    pieces += [Piece(text[done:end], ""), Piece(text[end:], CUT)]
    return tuple(piece for piece in pieces if piece.text)


class Token(NamedTuple):
    """A token of a text: its number, the number of the word that it is in, and where it stands in the text.

    One that belongs to no word, such as [CLS], has None.
    """

    number: int
    word: int | None
    first: int
    last: int


def tokens_of(text: str, tokens: Tokens) -> list[Token]:
    """The tokens of a text, as the network receives them."""
    tokenizer = _shown_by(tokens.tokenizer)
    tokenizer.enable_truncation(tokens.max_length)
    found = tokenizer.encode(text)
    rows = zip(found.ids, found.word_ids, found.offsets, strict=True)
    return [Token(number, word, first, last) for number, word, (first, last) in rows]


def _tokenizer(text: str) -> "Tokenizer":
    """A tokenizer from its JSON."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(text)
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True  # "[PAD]" in a text is ordinary text, not padding
    return tokenizer


_shown_by = lru_cache(maxsize=1)(_tokenizer)  # a large vocabulary takes 0.1 s to read


def _unknown_numbers(tokenizer: "Tokenizer", tokens: Tokens) -> set[int | None]:
    return {tokenizer.token_to_id(token) for token in ("[UNK]", "<unk>")} | {tokens.padding}


def on_one_line(text: str) -> str:
    """The text without line breaks, NULs and runs of spaces, which mean nothing to any tokenizer here."""
    joined = " ".join(text.replace("\0", " ").split())
    return text if joined == text else joined  # of many texts, no copies


def _load(path: Path) -> Encoded | None:
    try:
        with suppress(OSError):  # another user's cache may be read-only
            os.utime(path)  # marks when it was last used
        with np.load(path) as file:
            return {"values": file["values"], "lengths": file["lengths"], "cut": file["cut"]}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # missing or incomplete: texts are tokenized again
        return None


def _save(path: Path, encoded: Encoded) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        make_room(path.parent, MOST_BYTES - sum(own.nbytes for own in (encoded["values"], encoded["lengths"])), ENTRY)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as folder:
            np.savez(Path(folder, path.name), values=encoded["values"], lengths=encoded["lengths"], cut=encoded["cut"])
            Path(folder, path.name).replace(path)
    except OSError as error:  # the cache is only a convenience
        log.info("token numbers are not cached in %s: %s", path.parent, error)
