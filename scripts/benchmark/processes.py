"""A contender's process, seen from outside: started, told to do steps, asked for its memory, ended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmark.interleaving import Absent
from benchmark.specification import Contender, Workload, to_json

CORES = 2
SCRIPTS = Path(__file__).resolve().parents[1]
# Of a GPU each takes what it needs, for several processes share it.
_SEES = {
    "cpu": {"CUDA_VISIBLE_DEVICES": "", "JAX_PLATFORMS": "cpu"},
    "gpu": {"JAX_PLATFORMS": "cuda", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"},
}


def keep_to_cores() -> None:
    """Keeps this process, and those that it starts, to `CORES` processors; each library takes as many threads."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])


def environment(backend: str = "tensorflow", device: str = "cpu") -> dict[str, str]:
    """Returns the environment of every process that is measured: no chatter, and no GPU unless that is the device."""
    paths = [str(SCRIPTS), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "KERAS_BACKEND": backend,
        **_SEES[device],
        "OMP_NUM_THREADS": str(CORES),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_TRACEBACK_FILTERING": "off",  # else an error ends with a remark on how it is shown
        "HF_HUB_OFFLINE": "1",
    }


class Worker:
    """A contender at work; use as a context manager. It starts at once, and `ready` waits until it has warmed up.

    Args:
        workload: What it works on.
        contender: Who.
    """

    def __init__(self, workload: Workload, contender: Contender) -> None:
        self.name = contender.name
        passive = {"OMP_WAIT_POLICY": "passive"} if contender.variant == "passive" else {}
        self._errors = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 closed by `close`
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmark.worker", json.dumps(to_json(workload, contender))],
            env={**environment(contender.backend, contender.device), **passive},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )

    def ready(self) -> None:
        """Waits for the end of the warm-up.

        Raises:
            Absent: It cannot take part.
        """
        self._answer()

    def run(self, steps: int) -> list[float]:
        """Returns the seconds of each of so many steps.

        Raises:
            Absent: It died.
        """
        return list(self._ask({"steps": steps})["seconds"])

    def memory(self) -> dict[str, float]:
        """Returns `peak` and `growth` in megabytes: the largest there was, and how far above the bare libraries'."""
        return dict(self._ask({"steps": 0})["memory"])

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Absent(self._reason()) from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise Absent(self._reason())
        answer: dict[str, Any] = json.loads(line)
        if "missing" in answer:
            raise Absent(answer["missing"])
        return answer

    def _reason(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        lines = [line for line in self._errors.read().splitlines() if line.strip()]
        return lines[-1][:200] if lines else f"its process ended with {code}"

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
