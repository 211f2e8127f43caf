"""Steps that a device does while the program goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Queued:
    """A step that may return before it is done.

    Attributes:
        ask: Asks for one more step.
        wait: Returns when all are done.
    """

    ask: Callable[[], object]
    wait: Callable[[], object]

    def __call__(self) -> None:
        """Does one step to its end."""
        self.ask()
        self.wait()


def seconds_of(step: Callable[[], None], steps: int, clock: Callable[[], float], *, together: bool) -> list[float]:
    """Returns the seconds of each of so many steps.

    Args:
        step: Does one.
        steps: How many.
        clock: Tells the time in seconds.
        together: Whether all are asked for before one is waited for, as a training does; each then gets its share.
    """
    if together and isinstance(step, Queued) and steps:
        began = clock()
        for _ in range(steps):
            step.ask()
        step.wait()
        return [(clock() - began) / steps] * steps
    found = []
    for _ in range(steps):
        began = clock()
        step()
        found.append(clock() - began)
    return found
