"""Signals that ask a training to end: it finishes its step, and the second Ctrl-C ends it at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from textseq.errors import TextseqError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = "\x1b[?25h"


class StoppedError(TextseqError):
    """A training ended because a signal asked for it; it can be gone on with.

    Args:
        number: Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__("Stopped. Nothing is lost: go on with the same command and --resume.")
        self.exit_code = 128 + number  # as shells count


class ScoringStoppedError(Exception):
    """A signal came while the validation split was scored; nothing of that is kept."""


class Stopping:
    """Hears SIGINT and SIGTERM.

    Args:
        say: Takes a line for the user.

    Attributes:
        signal: The number of the signal that came; None so far.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.signal: int | None = None

    @contextmanager
    def heard(self, *, by_one: bool = True) -> Iterator[None]:
        """Hears signals for as long as the block lasts; Python lets only the main thread do so.

        Args:
            by_one: Whether one process trains. Of several, none can end its steps alone: a signal ends it at once.
        """
        if threading.current_thread() is not threading.main_thread() or not by_one:
            yield
            return
        before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def look_up(self) -> None:
        """Ends the scoring of a split where a signal came.

        Raises:
            ScoringStoppedError: One came.
        """
        if self.signal is not None:
            raise ScoringStoppedError

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            return
        self.signal = number
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # the next one ends the process, even inside a long operation
        if sys.stderr.isatty():
            sys.stderr.write(_SHOW_CURSOR)  # which a panel hides
        self.say(f"{signal.Signals(number).name}: ending after this step. Ctrl-C ends at once.")
