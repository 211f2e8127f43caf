"""Comparisons of what an encoder gave, each with the words that say what is wrong, and where first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import keras
import numpy as np
from keras import ops, tree

TOLERANCE = 2e-5


class Fault(Exception):
    """What a check saw."""


def require(holds: bool, fault: str) -> None:
    """Raises `Fault` unless something holds."""
    if not holds:
        raise Fault(fault)


def refute(fault: str | None, smaller: Iterable[Callable[[], str | None]] = ()) -> None:
    """Raises `Fault` if there is a fault, with the smallest case that shows it.

    Args:
        fault: What is wrong with the whole batch; None where nothing is.
        smaller: Smaller cases, the smallest first; each returns what is wrong with it. Tried only if there is a fault.
    """
    if fault is None:
        return
    for case in smaller:
        try:
            found = case()
        except Exception:  # a case that fails in another way shows another fault, which its own check names
            continue
        if found is not None:
            raise Fault(found)
    raise Fault(fault)


def difference(one: Any, other: Any, tolerance: float = TOLERANCE) -> str | None:
    """Returns where two arrays first differ, and by how much at most, in words; None where they are equal.

    Args:
        one: Outputs `(rows, time, units)`, or an array of any other shape.
        other: What they should be.
        tolerance: A difference up to this is none.
    """
    one, other = array(one), array(other)
    if one.shape != other.shape:
        return f"has the shape {one.shape}, not {other.shape}"
    apart = np.abs(one.astype("float64") - other.astype("float64"))
    wrong = ~(apart <= tolerance)  # NaN is wrong too
    if not wrong.any():
        return None
    place = tuple(int(part) for part in np.argwhere(wrong)[0])
    by = "is no finite number" if not np.isfinite(one[place]) else f"differs by {np.nanmax(apart[wrong]):.1e}"
    return f"{_place(place, one.shape)} {by}"


def same(one: Any, other: Any, fault: str, tolerance: float = TOLERANCE) -> None:
    """Requires two arrays to be equal within `tolerance`."""
    found = difference(one, other, tolerance)
    require(found is None, f"{fault}: {found}")


def state_difference(one: Any, other: Any) -> str | None:
    """Returns how two states differ, in words; None where every part is equal."""
    parts = [tree.flatten(one), tree.flatten(other)]
    if len(parts[0]) != len(parts[1]):
        return f"has {len(parts[0])} parts, not {len(parts[1])}"
    for number, (mine, wanted) in enumerate(zip(*parts, strict=True)):
        if difference(mine, wanted) is not None:
            return f"part {number} of it differs by {np.abs(array(mine) - array(wanted)).max():.1e}"
    return None


def right_state(state: Any, rows: int) -> None:
    """Requires the batch first in every part, and floats in float32."""
    for part in tree.flatten(state):
        shape = tuple(part.shape)
        require(shape[:1] == (rows,), f"a part of the state of {rows} rows has the shape {shape}: rows are not first")
        kind = keras.backend.standardize_dtype(part.dtype)
        require("float" not in kind or kind == "float32", f"a part of the state is {kind}, not float32")


def array(tensor: Any) -> np.ndarray:
    """Returns a tensor of any backend as an array."""
    return np.asarray(ops.convert_to_numpy(tensor))


def tokens(count: int) -> str:
    """Returns how many tokens, in words."""
    return f"{count} token{'' if count == 1 else 's'}"


def _place(place: tuple[int, ...], shape: tuple[int, ...]) -> str:
    if len(shape) != 3:
        return f"number {list(place)}" if place else "it"
    row = f" of row {place[0]}" if shape[0] > 1 else ""
    return f"output {place[1]}{row}"
