"""How a process ends that others wait for."""

from __future__ import annotations

import subprocess
import sys


def ended(program: str) -> tuple[int, str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_an_abort_in_c_ends_with_a_sentence() -> None:
    program = "import ctypes; from textseq.training.aborting import abort_says; abort_says('it is lost'); "
    assert ended(f"{program} ctypes.CDLL(None).abort()") == (1, "Error: it is lost\n")


def test_what_else_would_be_done_at_the_end_is_not_waited_for() -> None:
    program = (
        "import atexit, sys; from textseq.training.aborting import leave_at_once; "
        "atexit.register(lambda: sys.stderr.write('waited')); leave_at_once(7); sys.stderr.write('said')"
    )
    assert ended(program) == (7, "said")
