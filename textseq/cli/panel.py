"""Training as a live panel: how far it is, loss and score with their course, speed, time left and memory."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from textseq.cli.progress import SHOWN_SCORES, SilentReporter, epoch_line
from textseq.reporting.history import lower_is_better
from textseq.reporting.numbers import score_name
from textseq.training.memory import accelerator_bytes, resident_bytes

_BARS = "▁▂▃▄▅▆▇█"
_LOSSES = 400  # kept for the course of the loss
_COLUMNS = 32  # of a course
_LEAST_WIDTH = 50
_GIB = 2**30


class PanelReporter(SilentReporter):
    """A panel that is drawn anew four times a second, and above it a line that stays for each epoch.

    Args:
        console: Where it is drawn; stderr where None.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            expand=True,
        )
        self._epochs = self._steps = 0
        self._losses: list[float] = []
        self._scores: dict[int, float] = {}  # by epoch: a run that goes on begins with a later one
        self._score = ""
        self._speed = 0.0
        self._goes = False
        self._accelerator: int | None = None
        self._live = Live(console=self.console, get_renderable=self.panel, refresh_per_second=4)

    def begin(self, *, epochs: int, steps: int) -> None:
        """Draws the panel."""
        self._epochs, self._steps = epochs, steps
        self._task = self._bar.add_task("", total=epochs * steps, epoch=1, epochs=epochs)
        self._goes = False
        self._live.start()

    def step(self, *, epoch: int, step: int, loss: float | None, tokens_per_second: float) -> None:
        """Moves the bar, and notes the loss where it is given."""
        done = (epoch - 1) * self._steps + step
        if not self._goes:  # what was done before, of a run that goes on, says nothing of its speed
            self._bar.reset(self._task, completed=done, epoch=epoch, epochs=self._epochs)
            self._goes = True
        self._bar.update(self._task, completed=done, epoch=epoch)
        self._speed = tokens_per_second
        if loss is not None:
            self._losses = [*self._losses, loss][-_LOSSES:]
            self._accelerator = accelerator_bytes()

    def epoch(self, epoch: int, scores: dict[str, float]) -> None:
        """Writes the epoch's line above the panel, and notes the score that is shown."""
        self._score = next((name for name in SHOWN_SCORES if name in scores), "")
        if self._score:
            self._scores[epoch] = scores[self._score]
        self.console.print(epoch_line(epoch, self._epochs, scores), highlight=False)

    def end(self) -> None:
        """Leaves the panel as it stands."""
        self._live.stop()

    def panel(self) -> Panel:
        """Returns the panel as it is now."""
        rows = Table.grid(padding=(0, 2))
        rows.add_row("loss", f"{self._losses[-1]:.4f}" if self._losses else "–", course(self._losses), "")
        if self._scores:
            scores = list(self._scores.values())
            epoch = (min if lower_is_better(self._score) else max)(self._scores, key=self._scores.__getitem__)
            said = f"best {self._scores[epoch]:.4g}, epoch {epoch}"
            rows.add_row(score_name(self._score), f"{scores[-1]:.4g}", course(scores), said)
        rows.add_row("rate", f"{self._speed:,.0f}" if self._speed else "–", "tokens a second", "")
        taken = "" if self._accelerator is None else f"{self._accelerator / _GIB:.2f} GiB on the accelerator"
        rows.add_row("memory", f"{resident_bytes() / _GIB:.2f}", "GiB", taken)
        return Panel(Group(self._bar, rows), title="training", title_align="left")


def fits(console: Console) -> bool:
    """Whether a panel can be drawn: on a terminal that can move its cursor and is wide enough."""
    return console.is_terminal and not console.is_dumb_terminal and console.width >= _LEAST_WIDTH


def course(values: Sequence[float], columns: int = _COLUMNS) -> str:
    """Returns a line of bars that shows how values went, each the mean of about equally many."""
    if len(values) < 2:
        return ""
    count = min(columns, len(values))
    edges = [number * len(values) // count for number in range(count + 1)]
    means = [sum(values[low:high]) / (high - low) for low, high in pairwise(edges)]
    low, high = min(means), max(means)
    step = (high - low) / (len(_BARS) - 1)
    return "".join(_BARS[round((mean - low) / step) if step else 0] for mean in means)
