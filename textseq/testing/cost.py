"""What an encoder costs beside others of the same width, each measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

BESIDE = ("lstm", "transformer")
BATCH, TOKENS = 32, 64  # what is trained on: rows, and tokens of the longest
_PROGRAM = "textseq.testing.cost_program"


def training_cost(name: str, units: int, plugins: Sequence[str], backend: str) -> dict[str, Any]:
    """Returns what training a classifier with an encoder takes: `parameters`, `tokens_per_second` and `peak_bytes`.

    Also `streams`, whether it carries a state, and `xla`: `fine`, and `why` not, whether a step compiles with XLA. All
    that there is is `error` where it does not train.

    Args:
        name: The encoder's.
        units: Its width.
        plugins: The files that bring it.
        backend: Keras's.
    """
    return _ask("training", name, units, plugins, backend)


def exporting(name: str, units: int, plugins: Sequence[str]) -> dict[str, Any]:
    """Returns `fine`, and `why` not: whether a server's loader gives the numbers that the model gives."""
    return _ask("exporting", name, units, plugins, "tensorflow")


def _ask(what: str, name: str, units: int, plugins: Sequence[str], backend: str) -> dict[str, Any]:
    wanted = json.dumps({"what": what, "name": name, "units": units, "plugins": list(plugins)})
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", _PROGRAM, wanted]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()] or [f"exit code {done.returncode}"]
        return {"fine": False, "why": said[-1][:300], "error": said[-1][:300]}
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
