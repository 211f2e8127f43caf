"""Training that diverged goes back to a checkpoint and on at a lower rate: how often it did, and the record of it."""

from __future__ import annotations

from typing import Any

from textseq.config import TrainingConfig
from textseq.errors import RunFailedError
from textseq.rundir import RunDirectory
from textseq.training.divergence import DivergedError
from textseq.training.feeding import Feed

_FILE = "setbacks.jsonl"


class Setbacks:
    """Counts, and knows what is left of the learning rate.

    Args:
        training: Says how often, and how much lower each time.
        run: Gets a line for each, in `setbacks.jsonl`.
        feed: Knows which rows a batch holds.
        allowed: Whether there may be any.

    Attributes:
        count: How often training went back.
        scale: What the learning rate is multiplied by, all in all.
    """

    def __init__(self, training: TrainingConfig, run: RunDirectory, feed: Feed, *, allowed: bool = True) -> None:
        self.most = training.setbacks if allowed else 0
        self.rate, self.run, self.feed = training.setback_rate, run, feed
        self.count, self.scale = 0, 1.0

    def state(self) -> dict[str, Any]:
        """Returns what a checkpoint keeps of it."""
        return {"count": self.count, "scale": self.scale}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes on from what `state` returned."""
        self.count, self.scale = state["count"], state["scale"]

    def next(self, error: DivergedError, step: int) -> dict[str, Any]:
        """Returns the state after one more, and writes its line.

        Args:
            error: Why.
            step: Of the checkpoint that training goes back to, counted over all epochs.

        Raises:
            RunFailedError: There were as many as there may be.
        """
        if self.count >= self.most:
            again = f" It diverged at lower learning rates too; setbacks: {self.count}." if self.count else ""
            raise RunFailedError(f"{error}{again}") from error
        after = {"count": self.count + 1, "scale": self.scale * self.rate}
        line = {
            "step": error.epoch * self.feed.steps_per_epoch + error.step + 1,
            "epoch": error.epoch + 1,
            "wrong": error.wrong,
            "loss": error.loss,
            "went_back_to": step,
            "learning_rate_times": after["scale"],
            "rows": self.feed.rows(error.epoch, error.step),
        }
        # A process that was killed before its next checkpoint left a line that the run, resumed, writes again.
        self.run.write_jsonl(_FILE, [*self.run.read_jsonl(_FILE)[: self.count], line])
        return after
