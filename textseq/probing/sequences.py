"""Made-up sequences that can only be understood by remembering: the adding problem, copying, temporal order.

Sources: Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735 (adding, temporal order); Le et al.
2015, https://arxiv.org/abs/1504.00941 (adding, in the form used here); Arjovsky et al. 2016,
https://arxiv.org/abs/1511.06464 (copying).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Problem:
    """A task that needs memory.

    Attributes:
        name: As the command line calls it.
        features: Width of a step.
        outputs: Numbers that the head puts out at each step that counts.
        answers: Last steps that count.
        classes: Whether an answer is one of `outputs` classes; otherwise a number.
        make: Makes inputs `(rows, time, features)` and targets `(rows, answers)` from (generator, rows, length).
        goal: What counts as solved: a mean squared error below it, or a fraction of right answers of at least it.
        trivial: The error, or the fraction right, of one who remembers nothing.
    """

    name: str
    features: int
    outputs: int
    answers: int
    classes: bool
    make: Callable[[np.random.Generator, int, int], tuple[np.ndarray, np.ndarray]]
    goal: float
    trivial: float

    @property
    def shortest(self) -> int:
        """The least length of a sequence that holds the problem."""
        return 2 * self.answers + 2 if self.answers > 1 else 10

    def solved(self, score: float) -> bool:
        """Whether a score on fresh sequences is good enough."""
        return score >= self.goal if self.classes else score < self.goal


def adding(generator: np.random.Generator, rows: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Makes numbers between 0 and 1, two of them marked, one in each half; the answer is the sum of these two."""
    values = generator.random((rows, length))
    marks = np.zeros((rows, length))
    every, half = np.arange(rows), length // 2
    places = (generator.integers(0, half, rows), generator.integers(half, length, rows))
    for place in places:
        marks[every, place] = 1.0
    sums = values[every, places[0]] + values[every, places[1]]
    return np.stack([values, marks], -1).astype(np.float32), sums[:, None].astype(np.float32)


_SYMBOLS, _COPIED = 8, 10


def copying(generator: np.random.Generator, rows: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Makes ten symbols, then blanks, then a sign, at which the ten have to be said again."""
    symbols = generator.integers(0, _SYMBOLS, (rows, _COPIED))
    blank, sign = _SYMBOLS, _SYMBOLS + 1
    steps = np.full((rows, length), blank)
    steps[:, :_COPIED] = symbols
    steps[:, length - _COPIED - 1] = sign
    return _one_hot(steps, _SYMBOLS + 2), symbols


def temporal_order(generator: np.random.Generator, rows: int, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Makes distractors with X or Y early and X or Y midway; the answer is which of XX, XY, YX, YY came."""
    steps = generator.integers(0, 4, (rows, length))
    every = np.arange(rows)
    kinds = generator.integers(0, 2, (2, rows))
    first, second = 4, 5
    for kind, begin, end in ((kinds[0], 0.1, 0.2), (kinds[1], 0.5, 0.6)):
        places = generator.integers(int(begin * length), max(int(end * length), int(begin * length) + 1), rows)
        steps[every, places] = np.where(kind == 0, first, second)
    steps[:, 0], steps[:, -1] = 6, 7  # a beginning, and the trigger at which the answer is due
    return _one_hot(steps, 8), (2 * kinds[0] + kinds[1])[:, None]


def _one_hot(symbols: np.ndarray, count: int) -> np.ndarray:
    return np.eye(count, dtype=np.float32)[symbols]


PROBLEMS = {
    "adding": Problem("adding", 2, 1, 1, False, adding, goal=0.01, trivial=1 / 6),
    "copy": Problem("copy", _SYMBOLS + 2, _SYMBOLS, _COPIED, True, copying, goal=0.99, trivial=1 / _SYMBOLS),
    "order": Problem("order", 8, 4, 1, True, temporal_order, goal=0.99, trivial=0.25),
}
