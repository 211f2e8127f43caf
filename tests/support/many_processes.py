"""Trainings by several processes on this machine, each started as a user would start it."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PATIENCE = 600  # seconds, on a machine that is busy with other things


def command(config: Path, run: Path, settings: Sequence[str], *more: object) -> list[str]:
    """Returns what trains a config under JAX."""
    sets = [part for setting in settings for part in ("--set", setting)]
    words = ["train", config, "--run-dir", run, "--no-report", *sets, *more]
    return [sys.executable, "-m", "textseq", *(str(word) for word in words)]


def members(config: Path, run: Path, count: int, settings: Sequence[str], *more: object) -> list[list[str]]:
    """Returns the commands of processes that train together."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    place = ("--distributed", "--coordinator", address, "--processes", count)
    return [command(config, run, settings, *place, "--process", index, *more) for index in range(count)]


def in_slurm(count: int) -> list[dict[str, str]]:
    """Returns what Slurm sets for the processes of a job on this machine; JAX takes a port that follows from its id."""
    job = {"SLURM_JOB_ID": str(_free_offset()), "SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_NTASKS": str(count)}
    return [{**job, "SLURM_PROCID": str(index), "SLURM_LOCALID": str(index)} for index in range(count)]


def in_open_mpi(count: int) -> list[dict[str, str]]:
    """Returns what Open MPI 4 sets for the processes of a job on this machine."""
    uri = f"{_free_offset() * 2**12}.0;tcp://127.0.0.1:1"
    job = {"OMPI_MCA_orte_hnp_uri": uri, "OMPI_COMM_WORLD_SIZE": str(count)}
    ranks = [str(index) for index in range(count)]
    return [{**job, "OMPI_COMM_WORLD_RANK": rank, "OMPI_COMM_WORLD_LOCAL_RANK": rank} for rank in ranks]


def _free_offset() -> int:
    """Returns the place of a free port among the last 4096, where JAX looks for one."""
    for offset in random.sample(range(4096), 4096):
        with socket.socket() as free:
            if free.connect_ex(("127.0.0.1", 65536 - 4096 + offset)):
                return offset
    raise AssertionError("no port is free")


@contextmanager
def started(
    commands: Sequence[Sequence[str]], places: Sequence[Mapping[str, str]] = ()
) -> Iterator[list[subprocess.Popen[str]]]:
    """Starts commands side by side, and kills what is left of them at the end.

    Args:
        commands: What is started.
        places: Environment variables of each; none where empty.
    """
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "jax"}
    pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    own = places or [{} for _ in commands]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a shell's background, and children would inherit that
        signal.signal(signal.SIGINT, signal.default_int_handler)
    processes = [
        subprocess.Popen(words, env={**environment, **more}, **pipes) for words, more in zip(commands, own, strict=True)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def outcomes(processes: Sequence[subprocess.Popen[str]]) -> list[tuple[int, str, str]]:
    """Waits for processes; returns the exit code, stdout and stderr of each."""
    said = [process.communicate(timeout=_PATIENCE) for process in processes]
    return [(process.returncode, *texts) for process, texts in zip(processes, said, strict=True)]


def succeed(commands: Sequence[Sequence[str]], places: Sequence[Mapping[str, str]] = ()) -> list[tuple[str, str]]:
    """Runs commands side by side to their good end; returns stdout and stderr of each. Arguments as of `started`."""
    with started(commands, places) as processes:
        ended = outcomes(processes)
    assert [code for code, _, _ in ended] == [0] * len(ended), "\n".join(error[-3000:] for _, _, error in ended)
    return [(out, error) for _, out, error in ended]


def curve(run: Path) -> list[dict[str, float]]:
    """Returns the lines of `metrics.jsonl`."""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def largest_difference(first: Path, second: Path) -> float:
    """Returns how far two runs' curves, and their scores on the test split, are from each other.

    Perplexities, exponentials of the loss that reach thousands, are compared by their logarithms.
    """
    pairs = list(zip(curve(first), curve(second), strict=True))
    assert len(pairs) > 10
    assert [set(one) for one, _ in pairs] == [set(other) for _, other in pairs]
    tests = [json.loads((run / "scores.json").read_text())["test"] for run in (first, second)]
    scores = {name for name in tests[0] if isinstance(tests[0][name], float)}
    found = [_apart(name, one[name], other[name]) for one, other in pairs for name in one]
    return max(found + [_apart(name, tests[0][name], tests[1][name]) for name in scores])


def _apart(name: str, one: float, other: float) -> float:
    return abs(math.log(one / other)) if "perplexity" in name else abs(one - other)
