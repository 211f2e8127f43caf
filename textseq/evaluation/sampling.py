"""The choice of the next token, a pure function of log-probabilities, settings, seed and place.

The chance in it is a hash of seed and place rather than a generator with a state: the exported graph computes the very
same numbers, so that a served text equals the one that `textseq generate` writes.

Sources: Fan et al. 2018 (top-k), https://arxiv.org/abs/1805.04833; Holtzman et al. 2020 (top-p),
https://arxiv.org/abs/1904.09751; Steele et al. 2014 (the hash, SplitMix64), https://doi.org/10.1145/2660193.2660195.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from textseq.data.tokenizers.base import PAD_ID, START_ID, UNKNOWN_ID
from textseq.errors import UsageError, problem

NEVER_CHOSEN = (PAD_ID, UNKNOWN_ID, START_ID)
GOLDEN, FIRST_FACTOR, SECOND_FACTOR = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_SEEDS = 2**63


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: 0 takes the likeliest token; 1 samples from the model's own distribution. Counts in float32, as the
            exported graph takes it.
        top_k: Only so many likeliest tokens are considered; 0 for all.
        top_p: Only the likeliest tokens that together have this probability are considered; 1 for all. In float32 too.
        seed: Same seed, same text; 64 bits with sign.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuses values without meaning."""
        if not 0 <= self.temperature < np.inf:
            raise UsageError(problem("--temperature", "must be 0 or more", received=self.temperature))
        if self.top_k < 0:
            raise UsageError(problem("--top-k", "must be 0 (all) or more", received=self.top_k))
        if not 0 < self.top_p <= 1:
            raise UsageError(problem("--top-p", "must be above 0 and at most 1", received=self.top_p))
        if not -_SEEDS <= self.seed < _SEEDS:
            raise UsageError(problem("--seed", "must fit in 64 bits with sign", received=self.seed))


def uniform(seed: int, place: int) -> float:
    """Returns the number in [0, 1) that decides which token comes at a place; 53 bits of a hash.

    Args:
        seed: 64 bits with sign.
        place: Counted from 0 at the first token after the prompt.
    """
    with np.errstate(over="ignore"):
        start = _mixed(np.int64(seed).astype(np.uint64) + np.uint64(GOLDEN))
        mixed = _mixed(start + np.uint64(place + 1) * np.uint64(GOLDEN))
    return float(mixed >> np.uint64(11)) * 2.0**-53


def choose(log_probabilities: np.ndarray, sampling: Sampling, chance: float) -> int:
    """Returns the next token; padding, start and unknown are never chosen.

    Args:
        log_probabilities: Of every token. `(vocabulary,)`
        sampling: The settings.
        chance: In [0, 1); the token is the first whose cumulative probability reaches it, the likeliest first.
    """
    scores = np.array(log_probabilities, np.float64)
    scores[list(NEVER_CHOSEN)] = -np.inf
    temperature, top_p = float(np.float32(sampling.temperature)), float(np.float32(sampling.top_p))
    if temperature == 0:
        return int(scores.argmax())
    order = np.argsort(-scores, kind="stable")
    if sampling.top_k:
        order = order[: sampling.top_k]
    scaled = scores[order] / temperature
    probabilities = np.exp(scaled - scaled[0])
    probabilities /= probabilities.sum()
    if top_p < 1:
        kept = int(np.searchsorted(np.cumsum(probabilities), top_p)) + 1
        order, probabilities = order[:kept], probabilities[:kept] / probabilities[:kept].sum()
    place = int(np.searchsorted(np.cumsum(probabilities), chance))
    return int(order[min(place, int(np.count_nonzero(probabilities)) - 1)])


def _mixed(bits: np.uint64) -> np.uint64:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(FIRST_FACTOR)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(SECOND_FACTOR)
    return np.uint64(bits ^ (bits >> np.uint64(31)))
