"""Measures a workload of training steps: starts its contenders, lets them run in turn, and sums up."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmark.interleaving import Absent, interleave
from benchmark.lengths import save_lengths
from benchmark.processes import Worker
from benchmark.specification import Workload
from benchmark.targets import Measured, ceiling_share, speed_ratio, typical
from benchmark.workloads import with_lengths

Say = Callable[[str], None]
_PAUSE = 0.03  # OpenMP's threads look for work for some milliseconds before they sleep


def measure(workload: Workload, *, rounds: int, say: Say) -> dict[str, Measured]:
    """Returns what came out for each contender.

    Args:
        workload: What is done.
        rounds: Turns of each contender.
        say: Takes lines for the user.
    """
    results: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        if workload.model.task == "classification":
            workload = with_lengths(workload, save_lengths(Path(folder)))
        for group in workload.groups():
            say(f"{workload.name}: {rounds} rounds of {', '.join(contender.name for contender in group.contenders)}")
            results |= _race(group, rounds)
    return results


def _race(workload: Workload, rounds: int) -> dict[str, Measured]:
    """Lets contenders of one model run in turn."""
    with ExitStack() as stack:
        running, absent = _started(workload, stack)
        draw = random.Random(0)
        seconds, gone = interleave(running, rounds=rounds, steps=workload.steps, pause=_PAUSE, draw=draw)
        memory = {name: worker.memory() for name, worker in running.items() if name not in gone}
    return summary(workload, seconds, memory, absent | gone)


def _started(workload: Workload, stack: ExitStack) -> tuple[dict[str, Worker], dict[str, str]]:
    """Starts all contenders; returns them, and why others are absent.

    One imports its libraries while the one before warms up: more at once would fight for the cores.
    """
    workers: dict[str, Worker] = {}
    absent: dict[str, str] = {}
    starting: list[Worker] = []
    for place, one in enumerate(workload.contenders, 1):
        workers[one.name] = stack.enter_context(Worker(workload, one))
        starting.append(workers[one.name])
        while len(starting) > (1 if place < len(workload.contenders) else 0):
            worker = starting.pop(0)
            try:
                worker.ready()
            except Absent as reason:
                absent[worker.name] = str(reason)
    return {name: worker for name, worker in workers.items() if name not in absent}, absent


def summary(
    workload: Workload, seconds: dict[str, list[float]], memory: dict[str, dict[str, float]], absent: dict[str, str]
) -> dict[str, Measured]:
    """Returns the figures of a workload's contenders.

    Args:
        workload: What they did.
        seconds: Of each one's steps.
        memory: `peak` and `growth` of each one's process, in megabytes.
        absent: Why those who are missing are.
    """
    results = {}
    for contender in workload.contenders:
        name, model = contender.name, contender.model or workload.model
        if name in absent:
            results[name] = Measured(missing=absent[name])
            continue
        results[name] = Measured(
            seconds=typical(seconds[name], workload.period),
            items=model.items,
            gigaflops=contender.gigaflops(model),
            peak_megabytes=memory[name]["peak"],
            growth_megabytes=memory[name]["growth"],
            steps=len(seconds[name]),
        )
    return results


def to_json(workload: Workload, results: dict[str, Measured]) -> dict[str, Any]:
    """Returns all figures of a workload, JSON-serialisable; ratios are speeds in units of the first contender's.

    Where there are several models, it is the first of each model.
    """
    bases = {group.contenders[0].model: group.contenders[0].name for group in workload.groups()}
    contenders: dict[str, dict[str, Any]] = {}
    for contender in workload.contenders:
        one = results[contender.name]
        if one.missing is not None:
            contenders[contender.name] = {"missing": one.missing}
            continue
        counted = contender.library != "ceiling"
        contenders[contender.name] = {
            "milliseconds": (one.seconds or 0.0) * 1e3,
            f"{workload.unit}_per_second": one.speed if counted else None,
            "ratio": speed_ratio(results, contender.name, [bases[contender.model]]) if counted else None,
            "gigaflops_per_second": one.gigaflops_per_second,
            "share_of_ceiling": ceiling_share(results, contender.name),
            "peak_megabytes": one.peak_megabytes,
            "growth_megabytes": one.growth_megabytes,
            "steps": one.steps,
        }
    targets = [target.to_json(results) for target in workload.targets if target.names <= results.keys()]
    ratio_to = next(iter(bases.values())) if len(bases) == 1 else "the first of its size"
    return {"unit": workload.unit, "ratio_to": ratio_to, "contenders": contenders, "targets": targets}
