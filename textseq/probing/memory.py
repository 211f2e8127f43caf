"""Whether an encoder learns to remember: made-up problems, trained from fresh sequences until solved or out of time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from textseq.errors import UsageError
from textseq.errors import problem as sentence
from textseq.probing.sequences import Problem
from textseq.probing.variants import Variant

_BATCH = 50
_LEARNING_RATE = 1e-3
_CLIP_NORM = 1.0
_CHECK_EVERY = 100  # steps
_CHECK_ROWS = 500

Progress = Callable[[int, float, float], None]


@dataclass(frozen=True)
class Attempt:
    """How learning one problem went.

    Attributes:
        encoder: Its label.
        problem: The problem's name.
        length: Of the sequences, in steps.
        solved: Whether the score on fresh sequences reached the goal.
        steps: Batches of 50 sequences until then, or until time ran out; to the nearest 100.
        seconds: Of training, checks included.
        best: The best score that any check gave: mean squared error, or fraction of right answers.
        trivial: What one who remembers nothing scores.
    """

    encoder: str
    problem: str
    length: int
    solved: bool
    steps: int
    seconds: float
    best: float
    trivial: float

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data."""
        return asdict(self)


def attempt(
    variant: Variant,
    problem: Problem,
    *,
    length: int,
    seconds: float,
    seed: int = 0,
    most_steps: int | None = None,
    progress: Progress | None = None,
) -> Attempt:
    """Trains an encoder on a problem: batches of 50 fresh sequences, Adam, gradients clipped to a norm of 1.

    Args:
        variant: Which encoder.
        problem: Which problem.
        length: Of the sequences, in steps.
        seconds: Budget of training; compiling does not count.
        seed: Of weights and sequences.
        most_steps: Batches at most; as many as time allows where None.
        progress: Called at each check with steps, seconds and the score.

    Raises:
        UsageError: The sequences are too short for the problem.
    """
    refuse_short(problem, length)
    keras.utils.set_random_seed(seed)
    model = Learner(variant.build(), problem)
    model.compile(
        optimizer=keras.optimizers.Adam(_LEARNING_RATE, global_clipnorm=_CLIP_NORM),
        loss="sparse_categorical_crossentropy" if problem.classes else "mean_squared_error",
        jit_compile=keras.backend.backend() == "jax",
    )
    generator = np.random.default_rng(seed)
    held_out = problem.make(np.random.default_rng([seed, 1]), _CHECK_ROWS, length)
    model.train_on_batch(*problem.make(generator, _BATCH, length))
    best, steps, began = _score(model, problem, held_out), 1, time.monotonic()
    while not problem.solved(best) and time.monotonic() - began < seconds:
        for _ in range(_CHECK_EVERY - steps % _CHECK_EVERY):
            model.train_on_batch(*problem.make(generator, _BATCH, length))
            steps += 1
        score = _score(model, problem, held_out)
        best = max(best, score) if problem.classes else min(best, score)
        if progress:
            progress(steps, time.monotonic() - began, score)
        if most_steps is not None and steps >= most_steps:
            break
    spent = time.monotonic() - began
    solved = problem.solved(best)
    return Attempt(variant.label, problem.name, length, solved, steps, spent, best, problem.trivial)


def refuse_short(problem: Problem, length: int) -> None:
    """Refuses sequences that cannot hold a problem.

    Raises:
        UsageError: They are too short.
    """
    if length < problem.shortest:
        wrong = f"the problem '{problem.name}' needs sequences of at least {problem.shortest} steps"
        raise UsageError(sentence("--length", wrong, received=length))


class Learner(keras.Model):
    """Encoder → a dense layer at the last steps, those whose answers count.

    Args:
        encoder: Any.
        problem: Says how many answers there are, and of what kind.
    """

    def __init__(self, encoder: Any, problem: Problem) -> None:
        super().__init__()
        self.encoder, self.answers, self.classes = encoder, problem.answers, problem.classes
        self.head = keras.layers.Dense(problem.outputs)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Returns the probabilities of classes `(batch, answers, classes)`, or numbers `(batch, answers)`."""
        encoded = self.encoder(inputs, training=training)[:, -self.answers :]
        outputs = self.head(encoded)
        return ops.softmax(outputs) if self.classes else outputs[..., 0]


def _score(model: keras.Model, problem: Problem, held_out: tuple[np.ndarray, np.ndarray]) -> float:
    """Returns the mean squared error, or the fraction of right answers."""
    inputs, targets = held_out
    parts = [
        np.asarray(model.predict_on_batch(inputs[begin : begin + _BATCH])) for begin in range(0, len(inputs), _BATCH)
    ]
    outputs = np.concatenate(parts)
    if problem.classes:
        return float((outputs.argmax(-1) == targets).mean())
    return float(((outputs - targets) ** 2).mean())
