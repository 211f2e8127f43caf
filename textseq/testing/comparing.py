"""Comparisons of what an encoder gave, each with the sentence that says what is wrong."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops, tree

TOLERANCE = 2e-5


class Fault(Exception):
    """What a check saw."""


def right_state(state: Any, rows: int) -> None:
    """Requires the batch first in every part, and floats in float32."""
    for part in tree.flatten(state):
        require(part.shape[0] == rows, f"a part of the state has {part.shape}: the batch is not first")
        kind = keras.backend.standardize_dtype(part.dtype)
        require("float" not in kind or kind == "float32", f"a part of the state is {kind}, not float32")


def same_state(one: Any, other: Any, fault: str) -> None:
    """Requires every part of two states to be equal."""
    pairs = zip(tree.flatten(one), tree.flatten(other), strict=True)
    for mine, wanted in pairs:
        same(mine, wanted, fault)


def same(one: Any, other: Any, fault: str, tolerance: float = TOLERANCE) -> None:
    """Requires two arrays to be equal within `tolerance`."""
    one, other = array(one), array(other)
    require(one.shape == other.shape, f"{fault}: {one.shape} and {other.shape}")
    difference = float(np.abs(one.astype("float64") - other.astype("float64")).max(initial=0.0))
    require(not math.isnan(difference) and difference <= tolerance, f"{fault}, by {difference:.1e}")


def require(holds: bool, fault: str) -> None:
    """Raises `Fault` unless something holds."""
    if not holds:
        raise Fault(fault)


def array(tensor: Any) -> np.ndarray:
    """Returns a tensor of any backend as an array."""
    return np.asarray(ops.convert_to_numpy(tensor))
