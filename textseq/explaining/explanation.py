"""An explanation of one label: integrated gradients of its log-odds, from a text of unknown tokens to the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from textseq.data.tokenizers.base import UNKNOWN_ID
from textseq.differentiation import pullback
from textseq.errors import UsageError, unknown
from textseq.evaluation.loading import Run
from textseq.evaluation.one_text import OneText, Text, read_text
from textseq.explaining.integrated_gradients import Attributions, Evaluate, integrate

_POINTS_AT_ONCE = 32


@dataclass(frozen=True)
class Explanation:
    """Which tokens moved a label.

    Attributes:
        text: What was explained.
        label: The class whose log-odds were taken apart.
        probability: That the model gives it.
        tokens: Pieces of the text.
        attributions: Nats of log-odds that each token added, and how well they add up.
    """

    text: Text
    label: str
    probability: float
    tokens: list[str]
    attributions: Attributions

    @property
    def shares(self) -> np.ndarray:
        """The attributions as fractions of the largest, -1 to 1. `(time,)`."""
        values = self.attributions.values
        return values / (np.abs(values).max(initial=0.0) or 1.0)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data."""
        found = self.attributions
        texts = [self.text] if isinstance(self.text, str) else self.text
        return {
            **dict(zip(("text", "text_pair"), texts, strict=False)),
            "label": self.label,
            "probability": self.probability,
            "log_odds": found.output,
            "baseline_log_odds": found.baseline,
            "completeness_error": found.completeness_error,
            "points": found.points,
            "tokens": [
                {"token": token, "attribution": float(value)}
                for token, value in zip(self.tokens, found.values, strict=True)
            ],
        }


class Explainer:
    """Explains labels of one run's model, in float32 whatever it was trained in.

    Args:
        run: A classification run.
    """

    def __init__(self, run: Run) -> None:
        self.run = run.in_float32()
        self._classes = self.run.labels.names if self.run.labels else ()
        self._multi = bool(self.run.labels and self.run.labels.multi)
        model: Any = self.run.model

        def log_odds(given: Any, mask: Any, chosen: Any) -> Any:
            """Returns log p / (1 - p) of the chosen class, of what `_given` makes. `(points,)`."""
            width = model.embedding.units
            encoded = model.encoder(given[..., :width], mask=mask, training=False)
            logits = model.classify(encoded, mask, training=False) + ops.sum(given[..., width:], axis=1)
            one = ops.sum(logits * chosen, axis=-1)
            return one if self._multi else one - ops.logsumexp(logits - 1e9 * chosen, axis=-1)

        self._pullback = pullback(model, log_odds)
        self._logits = model

    def explain(self, text: Text, label: str | None = None) -> Explanation:
        """Explains the label that the model gives, or another.

        Args:
            text: A string, or a pair where the run was trained on pairs.
            label: A class; None for the likeliest one.

        Raises:
            UsageError: There is no such class.
        """
        if label is not None and label not in self._classes:
            raise UsageError(unknown("class", label, self._classes))
        read = read_text(self.run, text)
        logits = ops.convert_to_numpy(self._logits(read.batch, training=False))[0]
        number = int(logits.argmax()) if label is None else self._classes.index(label)
        found = integrate(self._along(read, number))
        real = len(read.tokens)
        values = Attributions(found.values[:real], found.output, found.baseline, found.points)
        probability = 1 / (1 + np.exp(-found.output))
        return Explanation(text, self._classes[number], float(probability), read.tokens, values)

    def _given(self, batch: Any) -> np.ndarray:
        """Returns each token's vector, and beside it its share in what n-grams give to the classes.

        `(1, time, features + classes)`
        """
        model: Any = self.run.model
        vectors = np.asarray(ops.convert_to_numpy(model.embedding(batch)), np.float32)
        shares = np.zeros((*vectors.shape[:2], len(self._classes)), np.float32)
        if model.ngrams is not None:
            shares = np.asarray(ops.convert_to_numpy(model.ngrams.shares(batch["token_ids"])), np.float32)
        return np.concatenate([vectors, shares], axis=-1)

    def _along(self, read: OneText, number: int) -> Evaluate:
        """Returns the function that looks at points between the text and as many unknown tokens."""
        ids = read.batch["token_ids"]
        nothing = {**read.batch, "token_ids": np.where(ids == 0, 0, UNKNOWN_ID).astype(ids.dtype)}
        begin, end = self._given(nothing), self._given(read.batch)
        way = (end - begin) * (ids != 0)[..., None]
        mask = np.repeat(ids != 0, _POINTS_AT_ONCE, axis=0)
        chosen = np.repeat(np.eye(len(self._classes), dtype=np.float32)[None, number], _POINTS_AT_ONCE, axis=0)
        ones = np.ones(_POINTS_AT_ONCE, np.float32)

        def evaluate(fractions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            outputs, slopes = [], []
            for first in range(0, len(fractions), _POINTS_AT_ONCE):
                some = fractions[first : first + _POINTS_AT_ONCE]
                filled = np.resize(some, _POINTS_AT_ONCE).astype(np.float32)[:, None, None]
                value, gradient = self._pullback(begin + filled * way, ones, mask, chosen)
                outputs.append(np.asarray(ops.convert_to_numpy(value), np.float64)[: len(some)])
                slope = (np.asarray(ops.convert_to_numpy(gradient), np.float64) * way).sum(-1)
                slopes.append(slope[: len(some)])
            return np.concatenate(outputs), np.concatenate(slopes)

        return evaluate
