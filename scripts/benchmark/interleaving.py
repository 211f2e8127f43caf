"""Takes turns: each contender does a few steps, then the next, round after round, so that drift hits all alike."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from typing import Protocol


class Absent(Exception):
    """A contender cannot take part; the message says why."""


class Runner(Protocol):
    """One who can do steps when told to, and does nothing in between."""

    def run(self, steps: int) -> Sequence[float]:
        """Does so many steps and returns the seconds of each; raises `Absent` where it cannot."""


def interleave(
    runners: Mapping[str, Runner],
    *,
    rounds: int,
    steps: int,
    pause: float = 0.0,
    draw: random.Random | None = None,
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """Lets all contenders run in turn.

    Args:
        runners: By name, in the order of their turns, unless that is drawn.
        rounds: How often each has its turn.
        steps: Steps of a turn.
        pause: Seconds between turns, in which threads that wait actively for work go to sleep.
        draw: Draws the order anew in each round. What came before a turn leaves its mark on it: on an Intel Xeon, of
            two that did the same, always in the same order, one was faster by a tenth.

    Returns:
        The seconds of each one's steps, and, for those that gave up on the way, why.
    """
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    gone: dict[str, str] = {}
    names = list(runners)
    for _ in range(rounds):
        if draw is not None:
            draw.shuffle(names)
        for name in names:
            if name in gone:
                continue
            time.sleep(pause)
            try:
                seconds[name] += runners[name].run(steps)
            except Absent as reason:
                gone[name] = str(reason)
    return seconds, gone
