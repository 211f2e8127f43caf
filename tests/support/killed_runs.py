"""Trainings in processes of their own that something happens to at chosen moments: a kill, a disk that fails.

A process that has imported all forks them.

Run as a program it reads a job a line, `{"arguments": […], "event": {…}, "log": FILE}`, and answers with the child's
exit status: negative where a signal ended it. Forking after the import saves its seconds each time.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

# What a process does to files while it trains; Python tells of each before it happens.
_EVENTS = {"open", "os.rename", "os.link", "os.truncate", "os.remove"}


class Forks:
    """Starts trainings; made by `forks`.

    Args:
        process: Reads jobs.
        folder: Where what they print goes.
    """

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder
        self.log = ""

    def __call__(self, *arguments: object, event: dict[str, Any] | None = None) -> int:
        """Runs `textseq` with these arguments to its end, or until it is killed; returns its exit status.

        Args:
            *arguments: Of the command line.
            event: What happens to the process: see `_arm`.
        """
        job = {"arguments": [str(one) for one in arguments], "event": event, "log": str(self._folder / "log")}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        self.log = (self._folder / "log").read_text(errors="replace")
        return status

    def until_done(self, *arguments: object, kills: Iterator[dict[str, Any]]) -> int:
        """Runs the same command again and again, ended as `kills` says, then to its end; returns how often it was."""
        killed = 0
        for kill in kills:
            status = self(*arguments, event=kill)
            if status == 0:
                return killed
            number = kill.get("number", signal.SIGKILL)
            # Not yet training, or no longer, a process ends by a signal as any other does.
            assert status in {-number, 128 + number} - {128 + signal.SIGKILL}, self.log
            killed += 1
        assert self(*arguments) == 0, self.log
        return killed

    def shell(self, line: str) -> None:
        """Runs a line of shell where the trainings' own disk is."""
        entered = ["nsenter", f"--mount=/proc/{self._process.pid}/ns/mnt", "sh", "-c", line]
        subprocess.run(entered, check=True, capture_output=True)

    def seen(self, path: Path) -> Path:
        """Returns where this process finds a file that lies on a disk of the trainings' own."""
        return Path(f"/proc/{self._process.pid}/root{path}")


def has_own_disks() -> bool:
    """Whether this process may give others a view of the disks that is theirs alone; it takes an administrator."""
    trial = ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(trial, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:  # not Linux
        return False


@contextmanager
def forks(folder: Path, backend: str = "tensorflow", disk: Path | None = None) -> Iterator[Forks]:
    """Yields what starts trainings.

    Args:
        folder: Where what they print goes.
        backend: Keras's.
        disk: A folder that is a disk of its own for them, of eight megabytes, in memory; see `has_own_disks`.
    """
    command = [sys.executable, __file__]
    if disk is not None:
        mounted = f"mount -t tmpfs -o size=8m none {shlex.quote(str(disk))} && exec {shlex.join(command)}"
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mounted]
    environment = {**os.environ, "KERAS_BACKEND": backend, "HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield Forks(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def random_kills(
    generator: random.Random, *, seconds: float, operations: int, most: int = 1, number: int = signal.SIGKILL
) -> Iterator[dict[str, Any]]:
    """Yields one to so many moments: half of them by the clock, half just before a file of the run is touched."""
    for _ in range(generator.randint(1, most)):
        by_clock = generator.random() < 0.5
        when = (
            {"seconds": generator.uniform(0, seconds)} if by_clock else {"operation": generator.randint(1, operations)}
        )
        yield {**when, "number": int(number)}


def what_a_run_ends_with(run: Path) -> dict[str, Any]:
    """Returns all that must be equal bit for bit: weights, optimizer and random states, metrics, scores."""
    import h5py

    from textseq.training.checkpoints.sealed import read_sealed

    (last,) = (path for path in (run / "checkpoints").iterdir() if path.suffix != ".h5")
    about, arrays = read_sealed(last)
    found: dict[str, Any] = {f"variable {number}": array for number, array in enumerate(arrays)}
    with h5py.File(run / "model.weights.h5") as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    scores = json.loads((run / "scores.json").read_text())
    scores["training"] = {name: scores["training"][name] for name in ("best_epoch", "kept_epoch", "weights")}
    texts = {"metrics": (run / "metrics.jsonl").read_text(), "epochs": (run / "epochs.csv").read_text()}
    return {**found, **texts, "scores": scores, "parts": about["parts"]}


def differing(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Returns the names of what is not equal to the last bit."""
    assert len(one) > 10
    assert set(one) == set(other)
    return [name for name in one if not _same(one[name], other[name])]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return bool(one == other)


def _serve() -> None:
    import keras  # noqa: F401

    import textseq.training.resuming
    import textseq.training.trainer  # noqa: F401

    for line in sys.stdin:
        job = json.loads(line)
        if (child := os.fork()) == 0:
            _train(job)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _train(job: dict[str, Any]) -> None:
    """Runs a job in this process, which then ends."""
    log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if job["event"] is not None:
        _arm(job["event"], job["arguments"][job["arguments"].index("--run-dir") + 1])
    from textseq.cli import main

    try:
        main(job["arguments"])
    except SystemExit as ended:
        sys.stdout.flush()
        os._exit(int(ended.code or 0))


def _arm(event: dict[str, Any], run: str) -> None:
    """Lets something happen to this process later.

    Args:
        event: After how many `seconds`, or at which `operation`, of those on a `path` where one is given, what
            happens: `command`, a line of shell; `memory`, how many bytes more the process may take from then on; else
            a signal, `times` times, of which `number` (SIGKILL where none is named).
        run: The run directory, whose operations count.
    """
    if "seconds" in event:
        timer = threading.Timer(event["seconds"], _happen, (event,))
        timer.daemon = True
        timer.start()
        return
    left, place = event["operation"], f"{run}/{event['path']}" if "path" in event else run

    def hook(name: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if name in _EVENTS and str(arguments[0]).startswith(place):
            left -= 1
            if left == 0:
                _happen(event)

    sys.addaudithook(hook)


def _happen(event: dict[str, Any]) -> None:
    if "command" in event:
        subprocess.run(["sh", "-c", event["command"]], check=True)
    elif "memory" in event:
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (taken + event["memory"], resource.RLIM_INFINITY))
    else:
        for _ in range(event.get("times", 1)):
            os.kill(os.getpid(), event.get("number", signal.SIGKILL))


if __name__ == "__main__":
    _serve()
