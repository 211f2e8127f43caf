"""Text from a language model, one token at a time, at a cost a token that does not grow with the text.

Sources: Fan et al. 2018 (top-k), https://arxiv.org/abs/1805.04833; Holtzman et al. 2020 (top-p),
https://arxiv.org/abs/1904.09751.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from textseq.data.tokenizers.base import END_ID, PAD_ID, START_ID, UNKNOWN_ID
from textseq.errors import UsageError, problem
from textseq.evaluation.loading import Run
from textseq.model import inference

_PROMPT_BUCKET = 32


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 takes the likeliest token; 1 samples from the model's own distribution.
        top_k: Only so many likeliest tokens are considered; 0 for all.
        top_p: Only the likeliest tokens that together have this probability are considered; 1 for all.
        seed: Same seed, same text.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses values without meaning."""
        if self.temperature < 0:
            raise UsageError(problem("--temperature", "must be 0 or more", received=self.temperature))
        if self.top_k < 0:
            raise UsageError(problem("--top-k", "must be 0 (all) or more", received=self.top_k))
        if not 0 < self.top_p <= 1:
            raise UsageError(problem("--top-p", "must be above 0 and at most 1", received=self.top_p))


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
    generator = np.random.default_rng(sampling.seed)
    advance = inference(run.model, lambda ids, state: _advance(run.model, ids, state), "advance")
    state = run.model.encoder.get_initial_state(1)
    prompt_ids = np.asarray([START_ID, *run.tokenizer.encode([prompt])[0]], np.int32)
    for ids in _chunks(prompt_ids):
        logits, state = advance(ids, state)
    for _ in range(max_tokens):
        token = choose(np.asarray(logits, np.float64)[0], sampling, generator)
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


def choose(logits: np.ndarray, sampling: Sampling, generator: np.random.Generator) -> int:
    """Returns the next token for logits `(vocabulary,)`; padding, start and unknown are never chosen."""
    logits = logits.copy()
    logits[[PAD_ID, UNKNOWN_ID, START_ID]] = -np.inf
    if sampling.temperature == 0:
        return int(logits.argmax())
    order = np.argsort(-logits, kind="stable")
    if sampling.top_k:
        order = order[: sampling.top_k]
    scaled = logits[order] / sampling.temperature
    probabilities = np.exp(scaled - scaled[0])
    probabilities /= probabilities.sum()
    if sampling.top_p < 1:
        kept = int(np.searchsorted(np.cumsum(probabilities), sampling.top_p)) + 1
        order, probabilities = order[:kept], probabilities[:kept] / probabilities[:kept].sum()
    place = int(np.searchsorted(np.cumsum(probabilities), generator.random()))
    return int(order[min(place, len(order) - 1)])


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
