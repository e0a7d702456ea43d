"""Rows of a table, told apart by their content."""

import hashlib
from collections.abc import Sequence

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from litmus.data.columns.encode import Floats

Words = NDArray[np.uint64]


def row_fingerprints(tables: Sequence[Words]) -> list[Tensor]:
    """63-bit hashes of the content of each row, int64 (rows,) for each table.

    Tables have equal rows that are different people's, so rows are counted: the n-th of several equal ones, through all
    tables, has a hash of its own.

    Args:
        tables: of each the `row_words` of the same columns.
    """
    words = np.concatenate(tables)
    order = words.argsort(kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(words[order]) != 0]))
    lengths = np.diff(np.append(starts, len(words)))
    occurrence = np.empty(len(words), dtype=np.uint64)
    occurrence[order] = np.arange(len(words), dtype=np.uint64) - np.repeat(starts, lengths).astype(np.uint64)
    hashes = torch.from_numpy(
        (_mixed(words + occurrence * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(1)).astype(np.int64)
    )
    return list(hashes.split([len(own) for own in tables]))


def row_words(columns: Sequence[Floats | pl.Series]) -> Words:
    """One number for each row's content, uint64 (rows,); equal rows have the same.

    Args:
        columns: as `encode.values_of` gives them.
    """
    words = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        words = _mixed(words) + _cell_words(column)
    return words


def _cell_words(column: Floats | pl.Series) -> Words:
    if not isinstance(column, pl.Series):
        values = np.where(np.isnan(column), np.nan, column + 0.0)  # one NaN of many, and 0.0 for -0.0
        return _mixed(values.view(np.uint64))
    names = column.fill_null("")
    distinct = names.unique()
    hashes = [int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") for name in distinct]
    table = pl.DataFrame({"name": distinct, "hash": pl.Series(hashes, dtype=pl.UInt64)})
    found = pl.DataFrame({"name": names}).join(table, on="name", how="left", maintain_order="left")
    return found["hash"].to_numpy().astype(np.uint64)


def _mixed(words: Words) -> Words:
    """The mixer of SplitMix64, modulo 2^64."""
    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
