"""How long a training has taken, interruptions left out."""

from __future__ import annotations

import time


class Clock:
    """Counts seconds from when it is made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def seconds(self) -> float:
        """Returns how many."""
        return time.monotonic() - self._began

    def go_on_from(self, seconds: float) -> None:
        """Counts on from what a checkpoint keeps."""
        self._began = time.monotonic() - seconds
