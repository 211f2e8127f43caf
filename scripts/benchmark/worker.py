"""A contender's process, from inside: builds its model, warms up, then does steps whenever a line on stdin says so."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from benchmark.machine import gpu_peak_megabytes, megabytes_held, peak_megabytes
from benchmark.queued import seconds_of
from benchmark.specification import from_json
from textseq.cli.options import begin
from textseq.errors import UsageError

Step = Callable[[], None]
_WARM_UP = 4


def main() -> None:
    """Answers on what was stdout; whatever libraries print there goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    contender, model, cycle = from_json(json.loads(sys.argv[1]))
    try:
        if contender.of_textseq:
            begin(backend=contender.backend)  # as its commands do
        library = importlib.import_module(f"benchmark.contenders.{contender.library}")
        on_gpu = contender.device == "gpu"
        held = 0.0 if on_gpu else megabytes_held()  # of a GPU none is held by libraries
        step: Step = library.make_step(contender, model, cycle)
    except ModuleNotFoundError as error:
        _say(answers, {"missing": f"{error.name} is not installed"})
        return
    except UsageError as error:
        _say(answers, {"missing": str(error)})
        return
    for _ in range(max(cycle, _WARM_UP)):
        step()
    _say(answers, {"ready": True})
    for line in sys.stdin:
        seconds = seconds_of(step, json.loads(line)["steps"], time.perf_counter, together=on_gpu)
        peak = gpu_peak_megabytes() if on_gpu else peak_megabytes()
        _say(answers, {"seconds": seconds, "memory": {"peak": peak, "growth": peak - held}})


def _say(answers: TextIO, message: dict[str, Any]) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
