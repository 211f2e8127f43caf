"""Lengths of real texts: SST-2's sentences in word pieces, from the dataset where it lies, else from its quantiles."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

_ROWS = 6_920
_PERCENTS = (0, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 100)
_QUANTILES = (2, 8, 11, 16, 20, 24, 28, 32, 37, 43, 51, 57, 70, 100)
_VOCABULARY = 4_000


def save_lengths(folder: Path) -> Path:
    """Writes the lengths of SST-2's training sentences into a folder; returns the file.

    They come from the folder that `TEXTSEQ_DATASETS_MIRROR` names, tokenised as `configs/classification` does, or are
    drawn from the quantiles of these.
    """
    texts = sst2_texts()
    path = folder / "lengths.npy"
    np.save(path, drawn_lengths() if texts is None else _measured_lengths(texts))
    return path


def sst2_texts() -> tuple[list[str], list[int]] | None:
    """Returns the training sentences of SST-2 and their labels; None where they do not lie here."""
    mirror = os.environ.get("TEXTSEQ_DATASETS_MIRROR")
    file = Path(mirror or ".") / "SetFit" / "sst2" / "train.parquet"
    if mirror is None or not file.is_file():
        return None
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(file)
    return table.column("text").to_pylist(), table.column("label").to_pylist()


def drawn_lengths(rows: int = _ROWS) -> np.ndarray:
    """Returns lengths drawn from SST-2's quantiles, the same at each call. `(rows,)`."""
    places = np.random.default_rng(0).uniform(0, 100, rows)
    return np.maximum(np.interp(places, _PERCENTS, _QUANTILES).round().astype(np.int64), 1)


def _measured_lengths(texts: tuple[list[str], list[int]]) -> np.ndarray:
    from textseq.registry import tokenizers

    tokenizer = tokenizers.get("sentencepiece")(vocabulary_size=_VOCABULARY)
    tokenizer.fit(texts[0], 0)
    return np.array([max(len(row), 1) for row in tokenizer.encode(texts[0])], np.int64)
