"""Progress of long work on stderr: a bar with rate and time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_SECONDS_BETWEEN_LINES = 10.0
_SHOWN_SCORES = ("val_accuracy", "val_macro_f1", "val_perplexity", "val_bits_per_byte", "val_loss")


def make_reporter(*, quiet: bool = False) -> TerminalReporter | LineReporter | SilentReporter:
    """Returns what fits where stderr goes."""
    if quiet:
        return SilentReporter()
    return TerminalReporter() if sys.stderr.isatty() else LineReporter()


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


class TerminalReporter(SilentReporter):
    """One live bar over the whole training, and a line that stays for each epoch."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._bar: Any = None
        self._task: Any = None
        self._epochs = self._steps = 0
        self._loss: float | None = None

    def begin(self, *, epochs: int, steps: int) -> None:
        """Draws the bar."""
        self._epochs, self._steps = epochs, steps
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("{task.fields[rate]} tokens/s"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
        )
        self._bar.start()
        self._task = self._bar.add_task("", total=epochs * steps, epoch=1, epochs=epochs, loss="–", rate="–")

    def step(self, *, epoch: int, step: int, loss: float | None, tokens_per_second: float) -> None:
        """Moves the bar."""
        self._loss = loss if loss is not None else self._loss
        self._bar.update(
            self._task,
            completed=(epoch - 1) * self._steps + step,
            epoch=epoch,
            loss="–" if self._loss is None else f"{self._loss:.3f}",
            rate=f"{tokens_per_second:,.0f}",
        )

    def epoch(self, epoch: int, scores: dict[str, float]) -> None:
        """Writes the epoch's line above the bar."""
        self._console.print(_epoch_line(epoch, self._epochs, scores), highlight=False)

    def end(self) -> None:
        """Leaves the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()


class LineReporter(SilentReporter):
    """A line every ten seconds and one an epoch, for logs and pipes."""

    def __init__(self) -> None:
        self._epochs = self._steps = 0
        self._began = self._spoke = 0.0

    def begin(self, *, epochs: int, steps: int) -> None:
        """Starts the clock."""
        self._epochs, self._steps = epochs, steps
        self._began = self._spoke = time.monotonic()

    def step(self, *, epoch: int, step: int, loss: float | None, tokens_per_second: float) -> None:
        """Writes a line when it is time."""
        now = time.monotonic()
        if loss is None or now - self._spoke < _SECONDS_BETWEEN_LINES:
            return
        self._spoke = now
        done = ((epoch - 1) * self._steps + step) / max(self._epochs * self._steps, 1)
        left = (now - self._began) * (1 - done) / max(done, 1e-9)
        _say(
            f"epoch {epoch}/{self._epochs}  step {step}/{self._steps}  loss {loss:.3f}  "
            f"{tokens_per_second:,.0f} tokens/s  {left:,.0f} s left"
        )

    def epoch(self, epoch: int, scores: dict[str, float]) -> None:
        """Writes the epoch's line."""
        _say(_epoch_line(epoch, self._epochs, scores))


def _epoch_line(epoch: int, epochs: int, scores: dict[str, float]) -> str:
    shown = [f"{name} {scores[name]:.4g}" for name in ("loss", *_SHOWN_SCORES) if name in scores]
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
