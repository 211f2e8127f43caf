"""Encoders on the linear recurrence against their papers' equations, step by step in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("candidate", ["linear", "positive"])
def test_mingru_is_its_papers_equations(candidate: str, golden: Callable[..., Any]) -> None:
    found = golden("mingru", candidate=candidate)
    w, h = found.weights, np.zeros(4)
    for x, output in zip(found.inputs, found.outputs, strict=True):
        z = sigmoid(x @ w["update_kernel"] + w["update_bias"])
        new = x @ w["candidate_kernel"] + w["candidate_bias"]
        if candidate == "positive":
            new = np.where(new >= 0, new + 0.5, sigmoid(new))
        h = (1 - z) * h + z * new
        np.testing.assert_allclose(output, h, atol=1e-6)
