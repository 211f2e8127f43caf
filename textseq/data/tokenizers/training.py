"""Fits a tokenizer on the train split, once: a run with the same texts, arguments and code reads it from disk."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from textseq.config import Component, DataConfig
from textseq.data.tokenizers.base import Tokenizer, code_hash, load_tokenizer
from textseq.errors import TextseqError
from textseq.registry import tokenizers

_STREAMED_ROWS = 200_000
_ROWS_AT_ONCE = 1000


def fit_tokenizer(component: Component, dataset: Any, data: DataConfig, seed: int) -> Tokenizer:
    """Returns the tokenizer that a config names, fitted.

    Args:
        component: Its name and arguments.
        dataset: The train split; of a stream, the first 200,000 rows count.
        data: Names the text columns.
        seed: The run's.
    """
    tokenizer: Tokenizer = tokenizers.get(component.name)(**component.arguments)
    columns = [column for column in (data.text, data.text_pair) if column is not None]
    folder = _cache_folder(tokenizer, dataset, columns)
    if folder is not None and folder.is_dir():
        try:
            return load_tokenizer(folder)
        except TextseqError:
            shutil.rmtree(folder, ignore_errors=True)
    tokenizer.fit(texts_of(dataset, columns), seed)
    if folder is not None:
        folder.parent.mkdir(parents=True, exist_ok=True)
        tokenizer.save(folder)
    return tokenizer


def texts_of(dataset: Any, columns: Iterable[str]) -> Iterator[str]:
    """Yields the texts of some columns, row by row, without reading them all into memory."""
    columns = list(columns)
    if not hasattr(dataset, "_fingerprint"):
        for row in islice(dataset, _STREAMED_ROWS):
            yield from (row[column] or "" for column in columns)
        return
    for batch in dataset.select_columns(columns).iter(batch_size=_ROWS_AT_ONCE):
        for row in zip(*(batch[column] for column in columns), strict=True):
            yield from (text or "" for text in row)


def _cache_folder(tokenizer: Tokenizer, dataset: Any, columns: list[str]) -> Path | None:
    """Returns where a fitted tokenizer is kept, beside the datasets that it was fitted on."""
    fingerprint = getattr(dataset, "_fingerprint", None)
    if fingerprint is None:
        return None
    import datasets
    import sentencepiece

    about = [
        tokenizer.registered_name,
        code_hash(tokenizer),
        tokenizer.arguments,
        columns,
        fingerprint,
        sentencepiece.__version__,
    ]
    key = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
    return Path(datasets.config.HF_DATASETS_CACHE) / "textseq" / f"tokenizer-{key}"
