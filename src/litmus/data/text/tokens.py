"""Texts as token numbers: made once, kept on disk, and given out in batches of like length."""

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Generator, Tensor

from litmus.data._loader import BatchLoader
from litmus.spec import Tokens

log = logging.getLogger(__name__)

CHUNK = 10_000  # texts tokenised at a time: what the library makes of each takes some kilobytes
POOL = 50  # batches among which samples are sorted by length: enough that a batch holds hardly any padding


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths, end to end.

    Attributes:
        values: int32 (sum of lengths,).
        starts: int64 (rows,), where each row begins.
        lengths: int64 (rows,), each at least 1.
        padding: what fills up a row to the length of another.
    """

    values: Tensor
    starts: Tensor
    lengths: Tensor
    padding: int

    @property
    def device(self) -> torch.device:
        return self.values.device

    def to(self, device: torch.device) -> "Ragged":
        return Ragged(self.values.to(device), self.starts.to(device), self.lengths.to(device), self.padding)

    def index_select(self, _: int, rows: Tensor) -> Tensor:
        """`padded`, under the name by which a loader reads a tensor's rows."""
        return self.padded(rows)

    def __getitem__(self, rows: slice) -> Tensor:
        return self.padded(torch.arange(len(self.lengths), device=self.device)[rows])

    def padded(self, rows: Tensor) -> Tensor:
        """These rows, int64 (len(rows), longest of them)."""
        lengths = self.lengths[rows]
        columns = torch.arange(int(lengths.max()) if len(rows) else 1, device=self.device)
        inside = columns < lengths[:, None]
        places = torch.where(inside, self.starts[rows][:, None] + columns, 0)
        return torch.where(inside, self.values[places].long(), self.padding)


class TokenLoader(BatchLoader):
    """Batches of texts of about the same length, each padded to its longest.

    In training, the samples are shuffled, sorted by length within pools of 50 batches, and the
    batches shuffled again. Otherwise they are sorted by length, which changes no metric.
    """

    inputs: Ragged

    def _order(self, generator: Generator) -> Tensor:
        lengths = self.inputs.lengths.cpu()
        batch_size = self.batching.batch_size
        if not self.batching.shuffle:
            return torch.argsort(lengths, stable=True)
        order = torch.randperm(len(lengths), generator=generator)
        num_full = len(order) // batch_size
        full, rest = order[: num_full * batch_size], order[num_full * batch_size :]
        pools = [pool[torch.argsort(lengths[pool], stable=True)] for pool in full.split(POOL * batch_size)]
        batches = torch.cat([*pools, rest[:0]]).reshape(num_full, batch_size)
        return torch.cat([batches[torch.randperm(num_full, generator=generator)].flatten(), rest])


def tokenised(texts: Sequence[str], tokens: Tokens, cache: Path | None) -> Ragged:
    """The texts' token numbers, from the cache if these texts were seen with this tokenizer before.

    Args:
        texts: any; one that gives no tokens at all becomes the padding's number, once.
        tokens: tokenizer and greatest length.
        cache: a folder; files in it are named by what they were made of. None keeps nothing.
    """
    digest = hashlib.sha256(f"{tokens.tokenizer}\0{tokens.max_length}\0{tokens.padding}\0".encode())
    for text in texts:
        digest.update(f"{len(text)}\0{text}".encode("utf-8", "surrogatepass"))
    path = cache / f"{digest.hexdigest()}.npz" if cache else None
    made = _kept(path) if path else None
    if made is None:
        made = encoded(texts, tokens)
        if path:
            _keep(path, made)
    if num_cut := int(made["cut"].sum()):
        log.info("%d of %d texts are longer than %d tokens and were cut", num_cut, len(texts), tokens.max_length)
    return ragged(made, tokens)


def ragged(made: dict[str, Any], tokens: Tokens) -> Ragged:
    """What `encoded` made, as rows."""
    values, lengths = torch.from_numpy(made["values"]), torch.from_numpy(made["lengths"])
    return Ragged(values, lengths.cumsum(0) - lengths, lengths, tokens.padding)


def encoded(texts: Sequence[str], tokens: Tokens) -> dict[str, Any]:
    """`values` int32 (all tokens,), `lengths` int64 (texts,); bool (texts,): which were `cut`, or wholly `unknown`."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(tokens.tokenizer)
    tokenizer.no_padding()
    tokenizer.enable_truncation(tokens.max_length)
    tokenizer.encode_special_tokens = True  # "[PAD]" in a text is letters, not padding
    rows: list[np.ndarray[Any, Any]] = []
    cut: list[bool] = []
    unknown: list[bool] = []
    nothing = {tokenizer.token_to_id(token) for token in ("[UNK]", "<unk>")} | {tokens.padding}
    for start in range(0, len(texts), CHUNK):
        for encoding in tokenizer.encode_batch(list(texts[start : start + CHUNK])):
            rows.append(np.array(encoding.ids or [tokens.padding], dtype=np.int32))
            cut.append(bool(encoding.overflowing))
            words = [i for i, special in zip(encoding.ids, encoding.special_tokens_mask, strict=True) if not special]
            unknown.append(nothing.issuperset(words))
    values = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int32)
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    return {"values": values, "lengths": lengths, "cut": np.array(cut), "unknown": np.array(unknown)}


def _kept(path: Path) -> dict[str, Any] | None:
    try:
        with np.load(path) as file:
            return {name: file[name] for name in ("values", "lengths", "cut")}
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):  # not there, or not whole: made again
        return None


def _keep(path: Path, made: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".making-") as folder:
            np.savez(Path(folder, path.name), **made)
            Path(folder, path.name).replace(path)
    except OSError as error:  # a cache less, nothing lost
        log.info("token numbers are not kept in %s: %s", path.parent, error)
