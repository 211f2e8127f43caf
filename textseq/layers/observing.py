"""Lets someone look on while layers compute: what gates and attention do on a text is seen without a second program.

A layer calls `observe` with what it would show; nothing happens unless somebody listens, inside `observations`. An
encoder of anyone's may do the same, and `textseq probe gates` shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Observation:
    """What one layer showed in one call.

    Attributes:
        kind: "steps" for tensors `(batch, time, units)`; "attention" for `(batch, heads, queries, keys)`.
        layer: Which layer.
        tensors: By name, in the order in which they are to be shown.
    """

    kind: str
    layer: str
    tensors: Mapping[str, Any]


_LISTENER: ContextVar[list[Observation] | None] = ContextVar("listener", default=None)


@contextmanager
def observations() -> Iterator[list[Observation]]:
    """Yields a list that grows as layers show what they do, in the order of their computing.

    Inside, layers have to be called eagerly: in a compiled function there is nothing yet to see.
    """
    found: list[Observation] = []
    before = _LISTENER.set(found)
    try:
        yield found
    finally:
        _LISTENER.reset(before)


def observed() -> bool:
    """Whether anybody listens: what costs something to show need not be made otherwise."""
    return _LISTENER.get() is not None


def observe(kind: str, layer: str, **tensors: Any) -> None:
    """Shows tensors to whoever listens.

    Args:
        kind: "steps" or "attention"; see `Observation`.
        layer: Which shows them: its path, and what else tells it from its like.
        **tensors: By name; spaces are written as underscores.
    """
    found = _LISTENER.get()
    if found is not None:
        named = {name.replace("_", " "): tensor for name, tensor in tensors.items()}
        found.append(Observation(kind, layer, named))
