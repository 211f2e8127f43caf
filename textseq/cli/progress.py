"""Progress of long work on stderr: a panel or a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 10.0
SHOWN_SCORES = ("val_accuracy", "val_macro_f1", "val_perplexity", "val_bits_per_byte", "val_loss")


def make_reporter(*, quiet: bool = False) -> SilentReporter:
    """Returns what fits where stderr goes."""
    from textseq.cli.panel import PanelReporter, fits

    if quiet:
        return SilentReporter()
    return PanelReporter() if fits(Console(stderr=True)) else LineReporter()


class SilentReporter:
    """Shows nothing."""

    def begin(self, *, epochs: int, steps: int) -> None:
        """Training starts."""

    def step(self, *, epoch: int, step: int, loss: float | None, tokens_per_second: float) -> None:
        """A step is done."""

    def epoch(self, epoch: int, scores: dict[str, float]) -> None:
        """An epoch is done and scored."""

    def end(self) -> None:
        """Training is over."""


class LineReporter(SilentReporter):
    """A line every ten seconds and one an epoch, for logs and pipes."""

    def __init__(self) -> None:
        self._epochs = self._steps = 0
        self._began = self._spoke = 0.0
        self._before: float | None = None

    def begin(self, *, epochs: int, steps: int) -> None:
        """Starts the clock."""
        self._epochs, self._steps = epochs, steps
        self._began = self._spoke = time.monotonic()
        self._before = None

    def step(self, *, epoch: int, step: int, loss: float | None, tokens_per_second: float) -> None:
        """Writes a line when it is time."""
        now = time.monotonic()
        done = ((epoch - 1) * self._steps + step) / max(self._epochs * self._steps, 1)
        if self._before is None:
            self._before = done  # of a run that goes on, most of it
        if loss is None or now - self._spoke < _SECONDS_BETWEEN_LINES:
            return
        self._spoke = now
        left = (now - self._began) * (1 - done) / max(done - self._before, 1e-9)
        _say(
            f"epoch {epoch}/{self._epochs}  step {step}/{self._steps}  loss {loss:.3f}  "
            f"{tokens_per_second:,.0f} tokens/s  {left:,.0f} s left"
        )

    def epoch(self, epoch: int, scores: dict[str, float]) -> None:
        """Writes the epoch's line."""
        _say(epoch_line(epoch, self._epochs, scores))


def epoch_line(epoch: int, epochs: int, scores: dict[str, float]) -> str:
    """Returns an epoch's loss and scores in a line."""
    shown = [f"{name} {scores[name]:.4g}" for name in ("loss", *SHOWN_SCORES) if name in scores]
    return f"epoch {epoch}/{epochs} done  {'  '.join(shown)}"


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@contextmanager
def counter(what: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """Yields a function of (done, total) that draws a bar on a terminal, or None where nothing is to be shown."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
