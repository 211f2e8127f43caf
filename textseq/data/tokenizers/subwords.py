"""Subword sampling with a generator of ours: the same seed gives the same pieces in every process.

SentencePiece draws from a generator that each process seeds anew, whatever seed it is told; a run that goes on in
another process could not draw what it would have drawn. What is drawn here has SentencePiece's distribution.

Sources: Kudo 2018 (unigram), https://arxiv.org/abs/1804.10959; Provilkov et al. 2020 (BPE dropout),
https://arxiv.org/abs/1910.13267.
"""

from __future__ import annotations

import heapq
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

_SPACE = "▁"
_WORD = re.compile(f"{_SPACE}*[^{_SPACE}]*")
_UNKNOWN_PENALTY = 10.0  # nats below the least likely piece, as in SentencePiece
_WORDS_REMEMBERED = 30_000  # at 2.4 kB each some 75 MB


class Pieces:
    """What a SentencePiece model knows.

    Args:
        processor: A `SentencePieceProcessor`.

    Attributes:
        known: Id and score of each piece of text.
        longest: Characters of the longest.
        unknown_id: Stands for characters that are in no piece.
    """

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.unknown_id = int(processor.unk_id())
        self.known: dict[str, tuple[int, float]] = {}
        self.bytes: dict[int, int] = {}
        for token in range(processor.vocab_size()):
            piece = processor.id_to_piece(token)
            if processor.is_byte(token):
                self.bytes[int(piece[1:-1], 16)] = token
            elif not (processor.is_control(token) or processor.is_unknown(token) or processor.is_unused(token)):
                self.known[piece] = (token, float(processor.get_score(token)))
        self.longest = max(map(len, self.known), default=1)
        self.least_score = min((score for _, score in self.known.values()), default=0.0)
        self._apart = not any(re.search(f"[^{_SPACE}]{_SPACE}", piece) for piece in self.known)

    def words(self, text: str) -> list[str]:
        """Returns a text, normalised, in parts that no piece reaches across."""
        normal = self.processor.normalize(text)
        return [word for word in _WORD.findall(normal) if word] if self._apart else [normal]

    def ids(self, symbols: Sequence[str]) -> Iterator[int]:
        """Yields the ids of a cut; a character in no piece is spelled in bytes, or is unknown with those beside it."""
        before_unknown = False
        for symbol in symbols:
            found = self.known.get(symbol)
            if found is not None:
                yield found[0]
            elif self.bytes:
                yield from (self.bytes[byte] for byte in symbol.encode())
            elif not before_unknown:
                yield self.unknown_id
            before_unknown = found is None


class Sampler(Protocol):
    """Cuts a word at random."""

    def cut(self, word: str, generator: np.random.Generator) -> list[str]:
        """Returns pieces, and characters in no piece, that are the word when joined."""


class UnigramSampler:
    """Draws each cut of a word with a probability that grows with the product of its pieces' probabilities.

    Args:
        pieces: Of the model.
        sharpness: Exponent of that product: 0 for all cuts alike, large for the likeliest alone.
    """

    def __init__(self, pieces: Pieces, sharpness: float) -> None:
        self.pieces, self.sharpness = pieces, sharpness
        self._lattices: dict[str, list[tuple[list[int], list[float]]]] = {}

    def cut(self, word: str, generator: np.random.Generator) -> list[str]:
        """Draws a cut, piece by piece from the end."""
        lattice = self._lattices.get(word)
        if lattice is None:
            if len(self._lattices) >= _WORDS_REMEMBERED:
                self._lattices.clear()
            lattice = self._lattices[word] = self._lattice(word)
        cut: list[str] = []
        end = len(word)
        while end:
            starts, sums = lattice[end]
            start = starts[0]
            if len(starts) > 1:
                drawn = generator.random() * sums[-1]
                start = next((one for one, total in zip(starts, sums, strict=True) if drawn < total), starts[-1])
            cut.append(word[start:end])
            end = start
        return cut[::-1]

    def _lattice(self, word: str) -> list[tuple[list[int], list[float]]]:
        """Returns, for each end of a piece, where it may start, and the running sum of the probabilities of these."""
        forward = [0.0]  # log of the sum over all cuts up to here
        lattice: list[tuple[list[int], list[float]]] = [([], [])]
        for end in range(1, len(word) + 1):
            starts, logs = [], []
            for start in range(max(end - self.pieces.longest, 0), end):
                score = self._score(word[start:end])
                if score is not None:
                    starts.append(start)
                    logs.append(forward[start] + self.sharpness * score)
            highest = max(logs)
            sums = np.cumsum(np.exp(np.array(logs) - highest)).tolist()
            forward.append(highest + math.log(sums[-1]))
            lattice.append((starts, sums))
        return lattice

    def _score(self, piece: str) -> float | None:
        found = self.pieces.known.get(piece)
        if found is not None:
            return found[1]
        return self.pieces.least_score - _UNKNOWN_PENALTY if len(piece) == 1 else None


class MergeSampler:
    """Merges as BPE does, but leaves each merge out with some probability.

    Args:
        pieces: Of the model.
        dropout: That probability.
    """

    def __init__(self, pieces: Pieces, dropout: float) -> None:
        self.pieces, self.dropout = pieces, dropout

    def cut(self, word: str, generator: np.random.Generator) -> list[str]:
        """Merges neighbours, best first, until none is left that is a piece and was not left out."""
        symbols: list[str] = list(word)
        before, after = list(range(-1, len(word) - 1)), [*range(1, len(word)), -1]
        waiting: list[tuple[float, int, int, str]] = []

        def propose(left: int, right: int) -> None:
            if left >= 0 and right >= 0 and (found := self.pieces.known.get(symbols[left] + symbols[right])):
                heapq.heappush(waiting, (-found[1], left, right, symbols[left] + symbols[right]))

        for left in range(len(word) - 1):
            propose(left, left + 1)
        while waiting:
            _, left, right, piece = heapq.heappop(waiting)
            if not symbols[left] or not symbols[right] or symbols[left] + symbols[right] != piece:
                continue  # one of them went into another merge
            if generator.random() < self.dropout:
                continue
            symbols[left], symbols[right] = piece, ""
            after[left] = after[right]
            if after[right] >= 0:
                before[after[right]] = left
            propose(before[left], left)
            propose(left, after[left])
        return [symbol for symbol in symbols if symbol]


def sample(texts: Sequence[str], pieces: Pieces, sampler: Sampler, generator: np.random.Generator) -> list[list[int]]:
    """Returns the ids of one random cut of each text.

    Args:
        texts: As they are.
        pieces: Of the model.
        sampler: Cuts words.
        generator: Decides.
    """
    return [
        list(pieces.ids([symbol for word in pieces.words(text) for symbol in sampler.cut(word, generator)]))
        for text in texts
    ]
