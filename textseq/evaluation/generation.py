"""Text from a language model, one token at a time, at a cost a token that does not grow with the text.

An encoder without a state reads its last window anew for each token; it was trained on windows that stand alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from textseq.data.tokenizers.base import END_ID, PAD_ID, START_ID
from textseq.evaluation.loading import Run
from textseq.evaluation.sampling import Sampling, choose, uniform
from textseq.evaluation.scoring import first_state
from textseq.model import inference

_PROMPT_BUCKET = 32


def generate(run: Run, prompt: str, *, max_tokens: int = 100, sampling: Sampling | None = None) -> Iterator[int]:
    """Goes on from a prompt.

    Args:
        run: A language modelling run.
        prompt: Text to go on from; may be empty.
        max_tokens: Tokens at most; fewer where the model ends the text.
        sampling: How tokens are chosen.

    Yields:
        Token ids, without the end token.
    """
    sampling = sampling or Sampling()
    state = first_state(run, 1)
    reader = _Windows(run) if state is None else _Stream(run, state)
    logits = reader.read(np.asarray([START_ID, *run.tokenizer.encode([prompt])[0]], np.int32))
    for place in range(max_tokens):
        token = choose(logits, sampling, uniform(sampling.seed, place))
        if token == END_ID:
            return
        yield token
        logits = reader.read(np.asarray([token], np.int32))


def generate_text(run: Run, prompt: str, *, max_tokens: int = 100, sampling: Sampling | None = None) -> str:
    """Returns the text that `generate` goes on with, without the prompt.

    The prompt is decoded along with it and cut off, since a piece's white space can depend on what stands before.
    """
    tokens = list(generate(run, prompt, max_tokens=max_tokens, sampling=sampling))
    before = [int(token) for token in run.tokenizer.encode([prompt])[0]]
    with_prompt, alone = run.tokenizer.decode([before + tokens, before])
    return with_prompt[len(alone) :]


class _Stream:
    """Reads each token once and keeps the state."""

    def __init__(self, run: Run, state: Any) -> None:
        self._advance = inference(run.model, lambda ids, state: _advance(run.model, ids, state), "advance")
        self._state = state

    def read(self, ids: np.ndarray) -> np.ndarray:
        """Returns the log-probabilities of what follows. `(vocabulary,)`."""
        for chunk in _chunks(ids) if len(ids) > 1 else [ids[None]]:
            logits, self._state = self._advance(chunk, self._state)
        return np.asarray(logits)[0]


class _Windows:
    """Keeps the last window of tokens, and reads it whole each time."""

    def __init__(self, run: Run) -> None:
        task: Any = run.task
        self._after = inference(run.model, lambda ids, last: _after(run.model, ids, last), "after")
        self._window, self._ids = int(task.window), np.zeros(0, np.int32)

    def read(self, ids: np.ndarray) -> np.ndarray:
        """Returns the log-probabilities of what follows. `(vocabulary,)`."""
        self._ids = np.concatenate([self._ids, ids])[-self._window :]
        padded = np.pad(self._ids, (0, self._window - len(self._ids)))
        return np.asarray(self._after(padded[None], np.asarray([len(self._ids) - 1], np.int32)))[0]


def _advance(model: Any, token_ids: Any, state: Any) -> tuple[Any, Any]:
    """Returns the logits after the last real token `(batch, vocabulary)`, and the state there."""
    hidden, state = model.advance({"token_ids": token_ids}, state)
    last = ops.sum(ops.cast(ops.not_equal(token_ids, PAD_ID), "int32"), axis=1) - 1  # (batch,)
    return _logits(model, hidden, last), state


def _after(model: Any, token_ids: Any, last: Any) -> Any:
    """Returns the logits after the place `last` of each row, which no later one changes. `(batch, vocabulary)`."""
    return _logits(model, model({"token_ids": token_ids}, training=False), last)


def _logits(model: Any, hidden: Any, places: Any) -> Any:
    return model.logits(ops.take_along_axis(hidden, ops.reshape(places, (-1, 1, 1)), axis=1)[:, 0])


def _chunks(ids: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the prompt as rows of few different lengths, padded at the right, so that little is compiled."""
    for begin in range(0, len(ids), _PROMPT_BUCKET):
        chunk = ids[begin : begin + _PROMPT_BUCKET]
        yield np.pad(chunk, (0, _PROMPT_BUCKET - len(chunk)))[None]
