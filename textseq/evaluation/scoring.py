"""How likely a language model finds texts, each read from its own start."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from textseq.data.tokenizers.base import END_ID, START_ID
from textseq.errors import UsageError
from textseq.evaluation.loading import Run
from textseq.model import inference

_TEXTS_AT_ONCE = 1024
_BATCH_SIZE, _LONG_BATCH_SIZE = 32, 4  # two sizes, so that little is compiled and little is padding
_LONG = 1024  # tokens
_WINDOW = 64


def score(run: Run, texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Scores texts, in their order, in memory that does not grow with how many there are.

    Args:
        run: A language modelling run.
        texts: Each stands alone, from the start token to the end of the text, if the run counts that.

    Yields:
        `{"log_likelihood", "tokens", "bytes"}`, the first in nats, summed over the tokens.
    """
    texts = iter(texts)
    while chunk := list(islice(texts, _TEXTS_AT_ONCE)):
        task: Any = run.task
        end = [END_ID] if task.end_of_text else []
        rows = [np.array([START_ID, *ids, *end], np.int32) for ids in run.tokenizer.encode(chunk)]
        totals = np.zeros(len(rows))
        order = np.argsort([len(row) for row in rows], kind="stable")
        for places in _batches(order, [len(row) for row in rows]):
            totals[places] = _log_likelihoods(run, [rows[place] for place in places])
        for text, row, total in zip(chunk, rows, totals, strict=True):
            size = len(text.encode("utf-8", "replace"))
            yield {"log_likelihood": float(total), "tokens": len(row) - 1, "bytes": size}


def _batches(order: np.ndarray, lengths: list[int]) -> Iterator[np.ndarray]:
    """Yields rows that are read together, from the short ones to the long ones."""
    short = sum(length <= _LONG for length in lengths)
    for rows, size in ((order[:short], _BATCH_SIZE), (order[short:], _LONG_BATCH_SIZE)):
        for cut in range(0, len(rows), size):
            yield rows[cut : cut + size]


def _log_likelihoods(run: Run, rows: list[np.ndarray]) -> np.ndarray:
    """Returns one number a row, of rows that begin with the start token."""
    size = _BATCH_SIZE if max(len(row) for row in rows) <= _LONG else _LONG_BATCH_SIZE
    state = first_state(run, size)
    window = _WINDOW if state is not None else int(getattr(run.task, "window", _WINDOW))
    function = inference(run.model, lambda batch, state: _window_losses(run.model, batch, state), "log_likelihoods")
    longest = max(max(len(row) for row in rows) - 1, 1)
    tokens = np.zeros((size, -(-longest // window) * window + 1), np.int32)
    for number, row in enumerate(rows):
        tokens[number, : len(row)] = row
    targets = tokens[:, 1:]
    seen = np.where(targets == 0, 0, tokens[:, :-1])
    totals = np.zeros(size)
    for begin in range(0, targets.shape[1], window):
        part = slice(begin, begin + window)
        losses, state = function({"token_ids": seen[:, part], "targets": targets[:, part]}, state)
        totals -= np.where(targets[:, part] == 0, 0.0, np.asarray(losses, np.float64)).sum(1)
    return totals[: len(rows)]


def first_state(run: Run, rows: int) -> Any:
    """Returns the state before the first token; None where the encoder has none, and each window stands alone."""
    try:
        return run.model.encoder.get_initial_state(rows)
    except UsageError:
        return None


def _window_losses(model: Any, batch: Any, state: Any) -> tuple[Any, Any]:
    if state is None:
        hidden = model({"token_ids": batch["token_ids"]}, training=False)
    else:
        hidden, state = model.advance({"token_ids": batch["token_ids"]}, state)
    return model.negative_log_likelihood(hidden, batch["targets"]), state
