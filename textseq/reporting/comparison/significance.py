"""Whether two models differ by more than chance, on the very same rows.

Sources: McNemar 1947, https://doi.org/10.1007/BF02295996 (exact, as Dietterich 1998 recommends,
https://doi.org/10.1162/089976698300017197); Efron & Tibshirani 1993 (bootstrap), https://doi.org/10.1201/9780429246593;
Holm 1979 (several tests), https://www.jstor.org/stable/4615733.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_LEVEL = (0.025, 0.975)


def mcnemar(first: np.ndarray, second: np.ndarray) -> tuple[int, int, float]:
    """Returns how many rows only the first has right, how many only the second, and the exact two-sided p-value.

    Where both are equally good, each row that one alone has right is a toss of a fair coin.

    Args:
        first: Whether each row is right. `(rows,)` bool
        second: The same of the other model.
    """
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    return only_first, only_second, coin_tosses(only_first, only_first + only_second)


def coin_tosses(heads: int, tosses: int) -> float:
    """Returns how likely a fair coin falls at least as one-sidedly as this, to either side."""
    fewer = min(heads, tosses - heads)
    logs = [_log_binomial(tosses, count) - tosses * math.log(2) for count in range(fewer + 1)]
    top = max(logs)
    tail = math.exp(top) * math.fsum(math.exp(each - top) for each in logs)
    return min(2 * tail, 1.0)


def interval(resampled: np.ndarray) -> tuple[float, float]:
    """Returns the 95 % interval of a resampled value."""
    low, high = np.quantile(resampled, _LEVEL)
    return float(low), float(high)


def bootstrap_p(differences: np.ndarray) -> float:
    """Returns the two-sided p-value of a resampled difference: twice the share beyond 0, with one counted on top."""
    count = len(differences)
    beyond = min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return min(2 * (beyond + 1) / (count + 1), 1.0)


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns p-values corrected for how many tests there are, so that one false alarm in all stays at its level."""
    order = np.argsort(p_values, kind="stable")
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order.tolist()):
        highest = max(highest, min((len(p_values) - rank) * p_values[place], 1.0))
        corrected[place] = highest
    return corrected


def _log_binomial(tosses: int, heads: int) -> float:
    return math.lgamma(tosses + 1) - math.lgamma(heads + 1) - math.lgamma(tosses - heads + 1)
