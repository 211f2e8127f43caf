"""Trainings in processes of their own that are killed at chosen moments: a process that has imported all forks them.

Run as a program it reads a job a line, `{"arguments": […], "kill": {…}, "log": FILE}`, and answers with the child's
exit status: negative where a signal ended it. Forking after the import saves its seconds each time.
"""

from __future__ import annotations

import json
import os
import random
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

    def __call__(self, *arguments: object, kill: dict[str, Any] | None = None) -> int:
        """Runs `textseq` with these arguments to its end, or until it is killed; returns its exit status."""
        job = {"arguments": [str(one) for one in arguments], "kill": kill, "log": str(self._folder / "log")}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        status = int(self._process.stdout.readline())
        self.log = (self._folder / "log").read_text(errors="replace")
        return status

    def until_done(self, *arguments: object, kills: Iterator[dict[str, Any]]) -> int:
        """Runs the same command again and again, killed as `kills` says, then to its end; returns how often it was."""
        killed = 0
        for kill in kills:
            status = self(*arguments, kill=kill)
            if status == 0:
                return killed
            assert status == -signal.SIGKILL, self.log
            killed += 1
        assert self(*arguments) == 0, self.log
        return killed


@contextmanager
def forks(folder: Path, backend: str = "tensorflow") -> Iterator[Forks]:
    """Yields what starts trainings under a backend."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "HF_HUB_OFFLINE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield Forks(process, folder)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


def random_kills(
    generator: random.Random, *, seconds: float, operations: int, most: int = 1
) -> Iterator[dict[str, Any]]:
    """Yields one to so many moments: half of them by the clock, half just before a file of the run is touched."""
    for _ in range(generator.randint(1, most)):
        by_clock = generator.random() < 0.5
        yield (
            {"seconds": generator.uniform(0, seconds)} if by_clock else {"operation": generator.randint(1, operations)}
        )


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
    if job["kill"] is not None:
        _arm(job["kill"], job["arguments"][job["arguments"].index("--run-dir") + 1])
    from textseq.cli import main

    try:
        main(job["arguments"])
    except SystemExit as ended:
        sys.stdout.flush()
        os._exit(int(ended.code or 0))


def _arm(kill: dict[str, Any], run: str) -> None:
    """Lets this process kill itself later.

    Args:
        kill: After how many `seconds`, or at which `operation`; `number` is the signal, SIGKILL where none is named,
            and `times` how often it comes.
        run: The run directory, whose operations count.
    """
    number, times = kill.get("number", signal.SIGKILL), kill.get("times", 1)
    if "seconds" in kill:
        timer = threading.Timer(kill["seconds"], os.kill, (os.getpid(), number))
        timer.daemon = True
        timer.start()
        return
    left = kill["operation"]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in _EVENTS and str(arguments[0]).startswith(run):
            left -= 1
            if left == 0:
                for _ in range(times):
                    os.kill(os.getpid(), number)

    sys.addaudithook(hook)


if __name__ == "__main__":
    _serve()
