"""Token ids of a column of texts: in Arrow on disk, mapped into memory, read row by row without a copy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from textseq.data.tokenizers.base import Tokenizer, code_hash

_ROWS_AT_ONCE = 1000
_IDS_AT_ONCE = 1 << 20


class EncodedTexts:
    """Rows of token ids.

    Args:
        chunks: Arrow list arrays of unsigned integers; memory-mapped ones stay on disk.

    Attributes:
        sampled: Whether rows are cut anew each epoch, so that they may be longer than `lengths` says.
    """

    sampled = False

    def __init__(self, chunks: Sequence[pa.Array]) -> None:
        self._values: list[np.ndarray] = []
        self._offsets: list[np.ndarray] = []
        for chunk in chunks:
            if len(chunk):
                self._offsets.append(chunk.offsets.to_numpy())
                self._values.append(chunk.values.to_numpy())
        counts = [len(offsets) - 1 for offsets in self._offsets]
        self._first_rows = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        parts = [np.diff(offsets).astype(np.int32) for offsets in self._offsets]
        self.lengths: np.ndarray = np.concatenate(parts) if parts else np.zeros(0, np.int32)

    @classmethod
    def from_lists(cls, rows: Sequence[Any]) -> EncodedTexts:
        """Makes rows in memory from lists or arrays of ids."""
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        filled = [np.asarray(row, np.uint32) for row in rows if len(row)]
        values = np.concatenate(filled) if filled else np.zeros(0, np.uint32)
        return cls([pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))])

    def __len__(self) -> int:
        return len(self.lengths)

    def counts(self, vocabulary_size: int) -> np.ndarray:
        """Returns how often each id stands in all rows together. `(vocabulary_size,)`."""
        parts = zip(self._values, self._offsets, strict=True)
        counted = (np.bincount(ids[edges[0] : edges[-1]], minlength=vocabulary_size) for ids, edges in parts)
        return sum(counted, np.zeros(vocabulary_size, np.int64))

    def fingerprint(self) -> str:
        """Returns a hash of all rows: of what is in them, not of where they lie."""
        digest = hashlib.sha256(self.lengths.astype("<i8").tobytes())
        for ids, edges in zip(self._values, self._offsets, strict=True):
            for start in range(int(edges[0]), int(edges[-1]), _IDS_AT_ONCE):
                digest.update(ids[start : min(start + _IDS_AT_ONCE, int(edges[-1]))].astype("<u4").tobytes())
        return digest.hexdigest()[:32]

    def row(self, index: int) -> np.ndarray:
        """Returns one row's ids, without a copy."""
        return self.rows([index])[0]

    def rows(self, indices: Sequence[int] | np.ndarray, epoch: int = 0) -> list[np.ndarray]:
        """Returns some rows' ids, without copies.

        Args:
            indices: Row numbers.
            epoch: Counts only for rows that are sampled anew each epoch.
        """
        wanted = np.asarray(indices, np.int64)
        chunks = np.searchsorted(self._first_rows, wanted, side="right") - 1
        places = wanted - self._first_rows[chunks]
        return [self._ids(chunk, place) for chunk, place in zip(chunks.tolist(), places.tolist(), strict=True)]

    def _ids(self, chunk: int, place: int) -> np.ndarray:
        begin, end = self._offsets[chunk][place : place + 2].tolist()
        return self._values[chunk][begin:end]


class SampledTexts(EncodedTexts):
    """Rows that a tokenizer with subword sampling cuts anew each epoch; a pure function of (seed, epoch, rows asked).

    Lengths are those of the likeliest cut, which is close enough for bucketing.

    Args:
        dataset: The rows of text.
        column: Their column.
        tokenizer: With `samples`.
        seed: The run's.
    """

    sampled = True

    def __init__(self, dataset: Any, column: str, tokenizer: Tokenizer, *, seed: int) -> None:
        encoded = encode_column(dataset, column, tokenizer)
        self.__dict__.update(encoded.__dict__)
        self._texts, self._column, self._tokenizer, self._seed = dataset, column, tokenizer, seed

    def rows(self, indices: Sequence[int] | np.ndarray, epoch: int = 0) -> list[np.ndarray]:
        """Returns a random segmentation of some rows."""
        wanted = [int(index) for index in indices]
        texts = [text or "" for text in self._texts[wanted][self._column]]
        generator = np.random.default_rng([self._seed, epoch, *wanted[:1], len(wanted)])
        return [np.asarray(ids, np.int32) for ids in self._tokenizer.encode_sampled(texts, generator)]


def encode_column(dataset: Any, column: str, tokenizer: Tokenizer) -> EncodedTexts:
    """Tokenises a column, in batches, and keeps the ids in `datasets`' cache as the smallest type that holds them.

    Args:
        dataset: A `datasets.Dataset`.
        column: The texts' column; null counts as an empty text.
        tokenizer: Fitted.
    """
    from datasets import Features, LargeList, Value

    name = np.dtype(tokenizer.id_type).name
    ids_type = pa.from_numpy_dtype(tokenizer.id_type)

    def encode(table: pa.Table) -> pa.Table:
        rows = tokenizer.encode([text or "" for text in table.column(column).to_pylist()])
        lengths = np.fromiter((len(row) for row in rows), np.int64, len(rows))
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]))
        filled = [np.asarray(row, tokenizer.id_type) for row in rows if len(row)]
        values = pa.array(np.concatenate(filled) if filled else np.zeros(0, tokenizer.id_type), type=ids_type)
        return pa.table({"token_ids": pa.LargeListArray.from_arrays(offsets, values)})

    key = f"{dataset._fingerprint}-{column}-{tokenizer.fingerprint}-{code_hash(tokenizer)}"
    encoded = (
        dataset.select_columns([column])
        .with_format("arrow")
        .map(
            encode,
            batched=True,
            batch_size=_ROWS_AT_ONCE,
            remove_columns=[column],
            features=Features({"token_ids": LargeList(Value(name))}),
            new_fingerprint=hashlib.sha256(key.encode()).hexdigest()[:16],
        )
    )
    return EncodedTexts(encoded.data.column("token_ids").chunks)
