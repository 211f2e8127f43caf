"""Speed and memory, measured: `python scripts/bench.py [--gpu] [--only NAME]… [--with NAME]… [--quick] [--json FILE]`.

A workload of training steps, or of calls of an exported model, is a race: textseq, stock Keras and PyTorch take the
same steps on the same batches, each in a process of its own, in turn, round after round. Other workloads are single
figures. Targets stand beside them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click
from benchmark import commands, figures, serving, steps
from benchmark.checkpointing import checkpoint
from benchmark.epoch import epoch
from benchmark.exports import export
from benchmark.interleaving import Absent
from benchmark.machine import busy, gpu, machine
from benchmark.many_processes import scaling_processes
from benchmark.plotting import plot
from benchmark.processes import keep_to_cores
from benchmark.scaling import scaling
from benchmark.specification import Workload
from benchmark.tables import tables
from benchmark.workloads import gpu_workloads, step_workloads
from rich.console import Console

_STEPS, _ON_GPU = step_workloads(), gpu_workloads()
_FIGURES: dict[str, Callable[[bool], figures.Figures]] = {
    "startup": commands.startup,
    "tokenize": partial(commands.apart, "benchmark.feeding", "tokenize"),
    "input": partial(commands.apart, "benchmark.feeding", "input"),
    "memory": commands.memory,
    "predict": commands.predict,
    "epoch": epoch,
    "checkpoint": checkpoint,
    "export": export,
    "scaling-processes": scaling_processes,
    "serve-latency": serving.serve_latency,
    "serve-throughput": serving.serve_throughput,
}
NAMES = (*_STEPS, *_FIGURES, "scaling")
_ROUNDS, _QUICK_ROUNDS = 9, 3
_NARROWEST = 110  # columns of a table, also where output goes into a file


def _known(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    there = tuple(_ON_GPU) if context.params.get("on_gpu") else NAMES
    unknown = sorted(set(names) - set(there))
    if unknown:
        raise click.UsageError(f"Unknown workload: {', '.join(unknown)}. There are: {', '.join(there)}.")
    return names


def _known_contenders(context: click.Context, parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    there = dict.fromkeys(one.name for workload in (*_STEPS.values(), *_ON_GPU.values()) for one in workload.contenders)
    unknown = sorted(set(names) - set(there))
    if unknown:
        raise click.UsageError(f"Unknown contender: {', '.join(unknown)}. There are: {', '.join(there)}.")
    return names


@click.command()
@click.option("--gpu", "on_gpu", is_flag=True, is_eager=True, help="On an NVIDIA GPU: JAX beside PyTorch.")
@click.option("--only", multiple=True, callback=_known, help="Names of workloads. Default: all.")
@click.option(
    "--with", "contenders", multiple=True, callback=_known_contenders, help="Names of contenders. Default: all."
)
@click.option("--rounds", type=click.IntRange(min=1), help=f"Turns of each contender. Default: {_ROUNDS}.")
@click.option("--quick", is_flag=True, help=f"Smaller: {_QUICK_ROUNDS} rounds, and only whom targets are about.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the figures to this file too.")
@click.option("--plot", "picture", type=click.Path(path_type=Path), help="Draw the scaling workload into this file.")
def main(
    on_gpu: bool,
    only: tuple[str, ...],
    contenders: tuple[str, ...],
    rounds: int | None,
    quick: bool,
    path: Path | None,
    picture: Path | None,
) -> None:
    """Measures workloads and prints their figures."""
    if on_gpu and not gpu():
        raise click.UsageError("--gpu: nvidia-smi shows no GPU on this machine; without it the processor is measured.")
    if not on_gpu:
        keep_to_cores()
    console, status = Console(), Console(stderr=True)
    console.width = max(console.width, _NARROWEST)
    if warning := busy():
        status.print(f"[yellow]{warning}[/yellow]")
    turns = rounds or (_QUICK_ROUNDS if quick else _ROUNDS)
    races = _ON_GPU if on_gpu else _STEPS
    results: dict[str, Any] = {}

    def say(line: str) -> None:
        status.print(line, style="dim")

    for name in only or (races if on_gpu else NAMES):
        results[name] = _measured(name, races, contenders, turns, quick, say)
        for table in tables(name, results[name]):
            console.print(table)
        if path:  # after each workload, so that a long run that is ended leaves what it has
            path.write_text(json.dumps({"machine": machine(), "busy": warning, "workloads": results}, indent=1))
    if picture and "scaling" in results:
        plot(results["scaling"], picture)


def _measured(
    name: str,
    races: Mapping[str, Workload],
    contenders: tuple[str, ...],
    rounds: int,
    quick: bool,
    say: Callable[[str], None],
) -> dict[str, Any]:
    if name == "scaling":
        return scaling(quick, rounds, say)
    if name in races:
        workload = races[name]
        chosen = set(contenders) or (workload.essential() if quick and workload.targets else set())
        workload = workload.only(chosen) if chosen else workload
        if not workload.contenders:
            raise click.UsageError(f"{name}: {', '.join(contenders)} takes no part in it.")
        return steps.to_json(workload, steps.measure(workload, rounds=rounds, say=say))
    say(name)
    try:
        return figures.to_json(_FIGURES[name](quick))
    except Absent as reason:
        raise click.ClickException(f"{name}: {reason}") from reason


if __name__ == "__main__":
    main()
