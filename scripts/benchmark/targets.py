"""Figures of a workload, and whether they keep what is promised: arithmetic on times, nothing else."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Measured:
    """What came out for one contender.

    Attributes:
        seconds: Of a typical step; None where it is missing.
        items: Tokens or texts of a step.
        gigaflops: Operations of a step in 1e9, where they are known.
        peak_megabytes: Its process's largest memory.
        growth_megabytes: How far that is above what it held when its libraries were imported.
        steps: How many were measured.
        missing: Why there are no figures.
    """

    seconds: float | None = None
    items: int = 1
    gigaflops: float | None = None
    peak_megabytes: float | None = None
    growth_megabytes: float | None = None
    steps: int = 0
    missing: str | None = None

    @property
    def speed(self) -> float | None:
        """Items a second."""
        return self.items / self.seconds if self.seconds else None

    @property
    def gigaflops_per_second(self) -> float | None:
        """Of its matrix products, as if they took the whole step."""
        return self.gigaflops / self.seconds if self.seconds and self.gigaflops else None


Results = Mapping[str, Measured]


def typical(seconds: Sequence[float], period: int = 1) -> float:
    """Returns a typical step's time: the median of all steps.

    Where steps differ because batches do, `period` of them are a cycle: then it is the mean, over the cycle's places,
    of the median at each place.

    Args:
        seconds: Times of steps, in order, whole cycles.
        period: Steps of a cycle.
    """
    return statistics.fmean(statistics.median(seconds[place::period]) for place in range(period))


def speed_ratio(results: Results, name: str, rivals: Sequence[str]) -> float | None:
    """Returns how many times faster `name` is than the fastest of its rivals; None where one side is missing."""
    own = results[name].speed if name in results else None
    others = [speed for rival in rivals if rival in results and (speed := results[rival].speed)]
    return own / max(others) if own and others else None


def ceiling_share(results: Results, name: str) -> float | None:
    """Returns the part, 0 to 1, of the speed of a large matrix product in the same precision."""
    ceiling = "gemm bf16" if "bf16" in name else "gemm"
    own = results[name].gigaflops_per_second if name in results else None
    most = results[ceiling].gigaflops_per_second if ceiling in results else None
    return own / most if own and most else None


def memory_ratio(results: Results, name: str, rival: str) -> float | None:
    """Returns the memory that the steps of one take, as a part of what those of another take."""
    own = results[name].growth_megabytes if name in results else None
    other = results[rival].growth_megabytes if rival in results else None
    return own / other if own is not None and other else None


@dataclass(frozen=True)
class Target:
    """One promise.

    Attributes:
        kind: "speed" (at least `bound` times the fastest rival's), "ceiling" (at least that share of a large matrix
            product's speed), or "memory" (at most that part of the rival's).
        name: Whose promise.
        bound: See `kind`.
        rivals: Against whom.
    """

    kind: Literal["speed", "ceiling", "memory"]
    name: str
    bound: float
    rivals: tuple[str, ...] = ()

    @property
    def names(self) -> set[str]:
        """Whom it is about: where some of them were not even asked to run, it says nothing."""
        return {self.name, *self.rivals}

    def value(self, results: Results) -> float | None:
        """Returns what was measured; None where something is missing."""
        if self.kind == "speed":
            return speed_ratio(results, self.name, self.rivals)
        if self.kind == "ceiling":
            return ceiling_share(results, self.name)
        return memory_ratio(results, self.name, self.rivals[0])

    def met(self, results: Results) -> bool | None:
        """Returns whether the promise is kept; None where something is missing."""
        value = self.value(results)
        if value is None:
            return None
        return value <= self.bound if self.kind == "memory" else value >= self.bound

    def text(self) -> str:
        """Says the promise."""
        rivals = " or ".join(self.rivals)
        if self.kind == "speed":
            return f"{self.name}: at least {self.bound:.3g} × the speed of {rivals}"
        if self.kind == "ceiling":
            return f"{self.name}: at least {self.bound:.0%} of a large matrix product's speed"
        return f"{self.name}: at most {self.bound:.3g} × the memory of {rivals}"

    def to_json(self, results: Results) -> dict[str, Any]:
        """Returns the promise and what became of it."""
        return {"target": self.text(), "bound": self.bound, "value": self.value(results), "met": self.met(results)}
