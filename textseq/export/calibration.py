"""The temperature that makes a classifier's probabilities honest, without changing any label.

Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599.
"""

from __future__ import annotations

import numpy as np

from textseq.errors import UsageError, problem
from textseq.evaluation.loading import Run
from textseq.evaluation.prediction import predict

_LEAST, _MOST = 0.05, 20.0


def fitted_temperature(run: Run) -> float:
    """Returns the temperature at which the validation split's log-loss is least.

    Raises:
        UsageError: The run has no single label a row, whose probabilities a temperature could share out.
        DataError: The dataset cannot be read.
    """
    if run.labels is None or run.labels.multi:
        wrong = "a temperature is for classifiers with one label a row"
        raise UsageError(problem("--calibrate", wrong, received=run.config.task.name))
    from textseq.data.sources import load_splits

    rows = load_splits(run.config.data, run.config.seed).validation
    texts = [text or "" for text in rows[run.config.data.text]]
    if run.config.data.text_pair is not None:
        texts = list(zip(texts, (text or "" for text in rows[run.config.data.text_pair]), strict=True))
    answers = predict(run, texts)
    probabilities = np.array([list(answer["probabilities"].values()) for answer in answers])
    return best_temperature(probabilities, run.labels.encode(rows))


def best_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Returns the temperature between 1/20 and 20 with the least log-loss.

    The loss is convex in 1 / temperature, and its slope there is the mean score that is expected less the one that is
    right; the place where it is 0 is found by halving.

    Args:
        probabilities: At temperature 1. `(rows, classes)`
        targets: The right classes. `(rows,)`
    """
    scores = np.log(np.maximum(probabilities.astype(np.float64), 1e-38))
    right = scores[np.arange(len(targets)), targets]
    low, high = 1 / _MOST, 1 / _LEAST
    for _ in range(60):
        middle = (low * high) ** 0.5
        powers = np.exp((scores - scores.max(1, keepdims=True)) * middle)
        expected = (powers * scores).sum(1) / powers.sum(1)
        low, high = (low, middle) if (expected - right).mean() > 0 else (middle, high)
    return float(1 / (low * high) ** 0.5)
