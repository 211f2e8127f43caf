"""How often tokens occur, as the biases that a softmax begins with.

Source: Meister et al. 2023, https://arxiv.org/abs/2212.09686. Without, an encoder first learns to hold its outputs at
whatever makes common tokens likely, and a state that is held so may never let go.
"""

from __future__ import annotations

import numpy as np


def log_frequencies(counts: np.ndarray) -> np.ndarray:
    """Returns the logarithms of each token's share of a text, every count raised by one. `(tokens,)`."""
    raised = np.asarray(counts, np.float64) + 1
    return np.log(raised / raised.sum())
