"""Ends for a process that others wait for: at once, with a sentence and an exit code of ours."""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
from typing import Any

_HANDLERS: list[Any] = []  # C keeps their addresses


def abort_says(sentence: str) -> None:
    """Lets the process end with a sentence and exit code 1 where C++ code aborts it.

    JAX's runtime does so when it misses another process. No Python code is asked before: it is not in an exception's
    way, and a callback from there cannot be given (jaxlib 0.10 fails to hand its status to Python).
    """
    line = f"Error: {sentence}\n".encode()

    @ctypes.CFUNCTYPE(None, ctypes.c_int)
    def end(number: int) -> None:
        os.write(2, line)
        os._exit(1)

    _HANDLERS.append(end)
    ctypes.CDLL(None).signal(int(signal.SIGABRT), end)


def leave_at_once(exit_code: int) -> None:
    """Lets the interpreter, when it ends, end without waiting for other processes, which JAX would do for minutes.

    Args:
        exit_code: What it ends with.
    """

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(exit_code)

    atexit.register(end)  # what was registered last runs first
