"""Text from a language model, one token at a time, at a cost a token that does not grow with the text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from keras import ops

from textseq.data.tokenizers.base import END_ID, PAD_ID, START_ID
from textseq.evaluation.loading import Run
from textseq.evaluation.sampling import Sampling, choose, uniform
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
    advance = inference(run.model, lambda ids, state: _advance(run.model, ids, state), "advance")
    state = run.model.encoder.get_initial_state(1)
    prompt_ids = np.asarray([START_ID, *run.tokenizer.encode([prompt])[0]], np.int32)
    for ids in _chunks(prompt_ids):
        logits, state = advance(ids, state)
    for place in range(max_tokens):
        token = choose(np.asarray(logits)[0], sampling, uniform(sampling.seed, place))
        if token == END_ID:
            return
        yield token
        logits, state = advance(np.asarray([[token]], np.int32), state)


def generate_text(run: Run, prompt: str, *, max_tokens: int = 100, sampling: Sampling | None = None) -> str:
    """Returns the text that `generate` goes on with, without the prompt.

    The prompt is decoded along with it and cut off, since a piece's white space can depend on what stands before.
    """
    tokens = list(generate(run, prompt, max_tokens=max_tokens, sampling=sampling))
    before = [int(token) for token in run.tokenizer.encode([prompt])[0]]
    with_prompt, alone = run.tokenizer.decode([before + tokens, before])
    return with_prompt[len(alone) :]


def _advance(model: Any, token_ids: Any, state: Any) -> tuple[Any, Any]:
    """Returns the logits after the last real token `(batch, vocabulary)`, and the state there."""
    hidden, state = model.advance({"token_ids": token_ids}, state)
    last = ops.sum(ops.cast(ops.not_equal(token_ids, PAD_ID), "int32"), axis=1) - 1  # (batch,)
    rows = ops.take_along_axis(hidden, ops.reshape(last, (-1, 1, 1)), axis=1)
    return model.logits(rows[:, 0]), state


def _chunks(ids: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the prompt as rows of few different lengths, padded at the right, so that little is compiled."""
    for begin in range(0, len(ids), _PROMPT_BUCKET):
        chunk = ids[begin : begin + _PROMPT_BUCKET]
        yield np.pad(chunk, (0, _PROMPT_BUCKET - len(chunk)))[None]
