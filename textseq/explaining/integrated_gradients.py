"""Integrated gradients along a straight line, refined where they do not yet add up.

The line's values are known at every point looked at, so each piece of it can be checked: what its tokens are given has
to be what the output gains there. Pieces that fail are halved, where pieces of one size would spend most points on
stretches that were right at once.

Source: Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

_FIRST_PIECES = 8

# Takes fractions (points,) of the way; returns the outputs there (points,), and how fast each token moves the output
# at that point (points, time): the product of its gradient and of its way from the baseline to the text.
Evaluate = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Attributions:
    """How much each token moved an output.

    Attributes:
        values: In the output's unit. `(time,)`
        output: At the text.
        baseline: At the baseline.
        points: How many points of the line were looked at.
    """

    values: np.ndarray
    output: float
    baseline: float
    points: int

    @property
    def completeness_error(self) -> float:
        """How far the values' sum is from what the output gained, as a fraction of that; 0 to infinity."""
        gained = self.output - self.baseline
        missing = abs(float(self.values.sum()) - gained)
        return missing / abs(gained) if gained else (0.0 if missing == 0 else float("inf"))


def integrate(evaluate: Evaluate, *, tolerance: float = 0.005, most_points: int = 4096) -> Attributions:
    """Integrates from the baseline, fraction 0, to the text, fraction 1.

    Args:
        evaluate: Looks at points of the line.
        tolerance: What the errors of all pieces may add up to, as a fraction of what the output gained.
        most_points: Where to stop even if they add up to more.
    """
    ends = np.linspace(0.0, 1.0, _FIRST_PIECES + 1)
    places = np.sort(np.concatenate([ends, (ends[1:] + ends[:-1]) / 2]))  # each piece: begin, middle, end
    outputs, slopes = evaluate(places)
    while True:
        widths = places[2::2] - places[:-2:2]
        parts = widths[:, None] * (slopes[:-2:2] + 4 * slopes[1:-1:2] + slopes[2::2]) / 6  # Simpson's rule
        errors = np.abs(parts.sum(1) - (outputs[2::2] - outputs[:-2:2]))
        allowed = tolerance * abs(outputs[-1] - outputs[0])
        if errors.sum() <= allowed or len(places) >= most_points:
            return Attributions(parts.sum(0), float(outputs[-1]), float(outputs[0]), len(places))
        worst = errors > min(allowed / len(errors), errors.max() / 2)
        places, outputs, slopes = _halved(evaluate, places, outputs, slopes, worst, most_points)


def _halved(
    evaluate: Evaluate,
    places: np.ndarray,
    outputs: np.ndarray,
    slopes: np.ndarray,
    worst: np.ndarray,
    most_points: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the points with a new middle in each half of the worst pieces; the old ones are not looked at again."""
    chosen = np.flatnonzero(worst)[: max((most_points - len(places) + 1) // 2, 1)]
    begins, middles, ends = places[2 * chosen], places[2 * chosen + 1], places[2 * chosen + 2]
    new = np.concatenate([(begins + middles) / 2, (middles + ends) / 2])
    new_outputs, new_slopes = evaluate(new)
    order = np.argsort(np.concatenate([places, new]), kind="stable")
    return (
        np.concatenate([places, new])[order],
        np.concatenate([outputs, new_outputs])[order],
        np.concatenate([slopes, new_slopes])[order],
    )
