"""Collects what a language model paid for the tokens of a split: by block, by place, and by how common they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from textseq.config import DataConfig
from textseq.data.audit import text_hashes
from textseq.data.tokenizers.base import END_ID, UNKNOWN_ID, Tokenizer
from textseq.data.windows import Windows
from textseq.tasks.base import EncodedSplit
from textseq.tasks.rows import RowRecord

_BLOCK = 256  # tokens; a text longer than that is several blocks, so that one long text can be resampled too
_PLACES = np.array([0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024])  # first place of each band, counted from 0
_COUNTS = np.array([0, 1, 10, 100, 1_000, 10_000, 100_000])  # first count in train of each band
_ROWS_AT_ONCE = 1000


class ReadRows:
    """Sums of nats, in memory that grows by some bytes a row and a block.

    Args:
        split: The rows, tokenised.
        windows: Over the split; tells which token a target is.
        train_counts: How often each token stands in train. `(vocabulary,)`
    """

    def __init__(self, split: EncodedSplit, windows: Windows, train_counts: np.ndarray) -> None:
        self.split, self.windows = split, windows
        self._bands = np.searchsorted(_COUNTS, train_counts, side="right") - 1  # of each token
        self._bands[UNKNOWN_ID], self._bands[END_ID] = len(_COUNTS), len(_COUNTS) + 1
        lengths = np.diff(windows.ends, prepend=0)
        self._starts = windows.ends - lengths
        blocks = np.maximum(-(-lengths // _BLOCK), 1)
        self._first_block = np.cumsum(blocks) - blocks
        self._row_of_block = np.repeat(np.arange(len(lengths)), blocks)
        self._blocks = np.zeros((len(self._row_of_block), 2))  # nats, tokens
        self._by_place = np.zeros((len(_PLACES), 2))
        self._by_count = np.zeros((len(_COUNTS) + 2, 2))

    def update(self, step: int, targets: np.ndarray, nats: np.ndarray, weights: np.ndarray) -> None:
        """Adds the windows of a step.

        Args:
            step: Of the split's windows.
            targets: Token ids. `(streams, window)`
            nats: Negative log-likelihood of each. `(streams, window)`
            weights: 0 where there is no target. `(streams, window)`
        """
        begins, _ = self.windows.spans(step)
        real = weights > 0
        places = (begins[:, None] + np.arange(targets.shape[1]))[real]
        rows = np.searchsorted(self.windows.ends, places, side="right")
        offsets = places - self._starts[rows]
        values = np.stack([nats[real].astype(np.float64), np.ones(len(places))], -1)
        np.add.at(self._blocks, self._first_block[rows] + offsets // _BLOCK, values)
        np.add.at(self._by_place, np.searchsorted(_PLACES, offsets, side="right") - 1, values)
        np.add.at(self._by_count, self._bands[targets[real]], values)

    def record(self, data: DataConfig, tokenizer: Tokenizer) -> RowRecord:
        """Returns what to keep.

        Args:
            data: Names the column of the texts.
            tokenizer: Of the run; blocks of two runs are the same text only where this is the same.
        """
        sizes, unknown = _bytes(self.split.dataset, data.text, tokenizer)
        arrays = {
            "text_hash": text_hashes(self.split.dataset, data),
            "bytes": sizes,
            "unknown_bytes": unknown,
            "block_row": self._row_of_block.astype(np.int32),
            "block_nats": self._blocks[:, 0],
            "block_tokens": self._blocks[:, 1].astype(np.int32),
        }
        about = {
            "kind": "language model",
            "split": self.split.name,
            "tokenizer": tokenizer.fingerprint,
            "by_place": _bands(_PLACES, self._by_place, first=1),
            "by_count": _bands(_COUNTS, self._by_count[:-2]),
            "unknown": _band(self._by_count[-2]),
            "end": _band(self._by_count[-1]),
        }
        return RowRecord(about, arrays)


def _bands(edges: np.ndarray, sums: np.ndarray, first: int = 0) -> list[dict[str, Any]]:
    """Returns the bands that hold a token, each with its first and last place or count."""
    lasts = [*(edges[1:] - 1).tolist(), None]
    return [
        {"from": int(low) + first, "to": None if high is None else high + first, **_band(row)}
        for low, high, row in zip(edges, lasts, sums, strict=True)
        if row[1]
    ]


def _band(row: np.ndarray) -> dict[str, Any]:
    return {"nats": float(row[0]), "tokens": int(row[1])}


def _bytes(dataset: Any, column: str, tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray]:
    """Returns the bytes of each row, and those that only the unknown token stands for."""
    sizes, unknown = [], []
    for batch in dataset.select_columns([column]).iter(batch_size=_ROWS_AT_ONCE):
        texts = [text or "" for text in batch[column]]
        sizes += [len(text.encode("utf-8", "replace")) for text in texts]
        unknown += tokenizer.unknown_bytes(texts)
    return np.array(sizes, np.int64), np.array(unknown, np.int64)
