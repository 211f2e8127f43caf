"""How a training went: what `metrics.jsonl` and `timings.jsonl` tell, as series over steps, epochs and seconds."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from textseq.rundir import RunDirectory

_LOWER_IS_BETTER = ("loss", "perplexity", "bits")


@dataclass(frozen=True)
class Moment:
    """The clock at a step.

    Attributes:
        step: Counted from 1.
        seconds: Since training began; the time between an interruption and going on is left out.
        tokens_per_second: Since the moment before.
        memory_bytes: What the process held; None for runs that did not write it.
        accelerator_bytes: What was in use on the accelerator; None without one.
        scoring: Whether an epoch was scored since the moment before, which its speed shows.
    """

    step: int
    seconds: float
    tokens_per_second: float
    memory_bytes: int | None
    accelerator_bytes: int | None
    scoring: bool


@dataclass(frozen=True)
class History:
    """A training's course.

    Attributes:
        steps: Lines of training loss and learning rate: `{"step", "loss", "learning_rate"}`.
        epochs: Lines of scores: `{"step", "epoch", "loss", "val_…"}`.
        moments: The clock, in order.
    """

    steps: list[Mapping[str, Any]] = field(default_factory=list)
    epochs: list[Mapping[str, Any]] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    @classmethod
    def read(cls, run: RunDirectory) -> History:
        """Reads the run's files; one that is missing leaves its series empty."""
        read = run.read_jsonl(run.metrics.name)
        lines = [line for line in read if isinstance(line, dict) and _is_number(line.get("step"))]
        steps = _last_of_each_step(line for line in lines if "epoch" not in line)
        epochs = _last_of_each_step(line for line in lines if "epoch" in line)
        return cls(steps, epochs, _moments(run.read_jsonl(run.timings.name)))

    def series(self, name: str) -> list[tuple[int, float]]:
        """Returns (step, value) of an epoch's score, such as `val_accuracy`."""
        return [(line["step"], line[name]) for line in self.epochs if _is_number(line.get(name))]

    def seconds_at(self, step: int) -> float | None:
        """Returns when a step was done, between the moments beside it in proportion; None where nothing was timed."""
        if not self.moments:
            return None
        steps = [moment.step for moment in self.moments]
        place = bisect.bisect_left(steps, step)
        if place == len(steps):
            return self.moments[-1].seconds
        after = self.moments[place]
        before = self.moments[place - 1] if place else Moment(0, 0.0, 0.0, None, None, False)
        share = (step - before.step) / (after.step - before.step)
        return before.seconds + share * (after.seconds - before.seconds)

    def best(self, name: str) -> tuple[int, float] | None:
        """Returns the (step, value) of the best of an epoch's scores; the first, where several are as good."""
        found = self.series(name)
        if not found:
            return None
        choose = min if lower_is_better(name) else max
        return choose(found, key=lambda pair: pair[1])

    def reached(self, name: str, value: float) -> int | None:
        """Returns the first step at which a score was as good as `value`; None for never."""
        lower = lower_is_better(name)
        return next((step for step, found in self.series(name) if (found <= value if lower else found >= value)), None)


def lower_is_better(score: str) -> bool:
    """Whether a score is a cost."""
    return any(word in score for word in _LOWER_IS_BETTER)


def monitored(history: History, wanted: str | None, task: str) -> str | None:
    """Returns the validation score that decided which weights were best; None where there is none in the history.

    Args:
        history: Of the run.
        wanted: What the config monitors, if it says.
        task: The task's name.
    """
    usual = {"classification": "accuracy", "language_modeling": "perplexity"}.get(task, "loss")
    names = [f"val_{name}" for name in (wanted, usual, "accuracy", "perplexity", "loss") if name]
    return next((name for name in names if history.series(name)), None)


def _last_of_each_step(lines: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Returns the lines in order; where training went back to a checkpoint, what came after it counts."""
    kept: list[Mapping[str, Any]] = []
    for line in lines:
        while kept and kept[-1]["step"] >= line["step"]:
            kept.pop()
        kept.append(line)
    return kept


def _moments(lines: Iterable[Any]) -> list[Moment]:
    """Returns the clock with one zero: a training that went on after an interruption began to count anew."""
    kept: list[Moment] = []
    offset, last = 0.0, 0.0
    for line in lines:
        if not (isinstance(line, dict) and _is_number(line.get("seconds")) and _is_number(line.get("step"))):
            continue
        seconds, scoring = line["seconds"], "epoch" in line
        while kept and (kept[-1].step, kept[-1].scoring) >= (line["step"], scoring):
            kept.pop()
        if seconds < last:
            offset = kept[-1].seconds if kept else 0.0
        last = seconds
        speed, memory, taken = (line.get(key) for key in ("tokens_per_second", "memory_bytes", "accelerator_bytes"))
        kept.append(Moment(line["step"], offset + seconds, speed or 0.0, memory, taken, scoring))
    return kept


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
