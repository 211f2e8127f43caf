"""How far back a gradient reaches: norms by distance from the loss, and one number for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MEASURES = ("output", "state", "input")


@dataclass(frozen=True)
class Curve:
    """Norms of the loss's gradient with respect to what an encoder held at each distance from the loss.

    Attributes:
        distances: Steps back from the step that the loss reads; 0 first.
        norms: Mean over sequences, geometric mean over initialisations.
    """

    distances: np.ndarray
    norms: np.ndarray

    @property
    def relative(self) -> np.ndarray:
        """The norms as multiples of that at the loss itself."""
        return self.norms / self.norms[0] if self.norms[0] > 0 else np.zeros_like(self.norms)

    @property
    def half_length(self) -> float:
        """Steps within which half of all that reaches back lies: the median distance, weighted by the norm.

        For a gradient that shrinks by a constant factor it is its half-life; for one that does not shrink, half of the
        sequence. It counts from the step before the last, for the loss reads the last one directly. NaN where nothing
        reaches back.
        """
        tiny = np.finfo(np.float64).tiny
        widths, norms = np.diff(self.distances[1:]), self.norms[1:]
        if not norms.sum() > 0 or not len(widths):
            return float("nan")
        starts, ends = np.maximum(norms[:-1], tiny), np.maximum(norms[1:], tiny)
        steepness = np.log(starts / ends)  # between two points the norm is taken to shrink by a constant factor
        flat = np.abs(steepness) < 1e-9
        areas = widths * np.where(flat, starts, (starts - ends) / np.where(flat, 1.0, steepness))
        before = np.concatenate([[0.0], np.cumsum(areas)])
        place = int(np.searchsorted(before, before[-1] / 2)) - 1
        fraction = (before[-1] / 2 - before[place]) / (widths[place] * starts[place])
        if not flat[place]:
            fraction = -np.log1p(-fraction * steepness[place]) / steepness[place]
        return float(self.distances[1 + place] - self.distances[1] + widths[place] * fraction)

    def at(self, distance: int) -> float | None:
        """Returns the relative norm at a distance, on a straight line between logarithms; None beyond the curve."""
        if not 0 <= distance <= self.distances[-1]:
            return None
        tiny = np.finfo(np.float64).tiny
        value = float(np.exp(np.interp(distance, self.distances, np.log(np.maximum(self.relative, tiny)))))
        return value if value > 2 * tiny else 0.0


@dataclass(frozen=True)
class Reach:
    """What was measured of one encoder.

    Attributes:
        label: The encoder's, with "trained" or "at first" for runs.
        curves: By measure: "output" (h), "state" (h and all else that is carried on), "input" (x).
        seconds: That it took.
    """

    label: str
    curves: Mapping[str, Curve]
    seconds: float

    def best(self, wanted: str = "output") -> str:
        """Returns the measure to show: the one wanted, or else the next that there is."""
        order = [wanted, *MEASURES]
        return next(name for name in order if name in self.curves)

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data."""
        measured = {
            name: {
                "half_length": curve.half_length,
                "distances": curve.distances.tolist(),
                "norms": curve.norms.tolist(),
                "ratio": float(curve.relative[-1]),
            }
            for name, curve in self.curves.items()
        }
        return {"encoder": self.label, "seconds": self.seconds, "measured": measured}


def averaged(curves: Sequence[Curve]) -> Curve:
    """Returns the geometric mean of curves: norms spread over orders of magnitude from one initialisation to another.

    Args:
        curves: Over the same distances, one an initialisation.
    """
    with np.errstate(divide="ignore"):
        logarithms = np.log(np.stack([curve.norms for curve in curves]).astype(np.float64))
    return Curve(curves[0].distances, np.exp(logarithms.mean(axis=0)))


def pieces(length: int) -> list[int]:
    """Returns the lengths of the pieces that a sequence is cut into: states are looked at where two meet.

    Single steps at both ends, longer ones, all alike, between: a compiled encoder sees two lengths only.

    Args:
        length: Of the sequence, in steps, at least 2.
    """
    single, long_pieces = 20, 40
    rest = length - 1 - single
    if rest <= long_pieces:
        return [1] * length
    size = -(-rest // long_pieces)
    return [1] * (1 + rest % size) + [size] * (rest // size) + [1] * single
