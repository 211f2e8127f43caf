"""Tests run again by what is compiled for less of this processor."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from textseq.layers.native.library import compiler


def passed_with(option: str, files: list[Path], chosen: str, folder: Path) -> None:
    """Runs tests by what is compiled with an option more.

    Args:
        option: Of the compiler.
        files: With tests.
        chosen: Which of them, as pytest's `-k` has it.
        folder: For the compiler that knows the option, and for what it makes.

    Raises:
        AssertionError: One fails, or some are skipped.
    """
    program = folder / "compiler"
    program.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec {compiler()} "$@"\nexec {compiler()} "$@" {option}\n')
    program.chmod(0o755)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *map(str, files), "-k", chosen]
    environment = {**os.environ, "CXX": str(program), "XDG_CACHE_HOME": str(folder)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:]
    assert re.search(r"\d passed, \d+ deselected in", done.stdout), done.stdout[-2000:]  # and none skipped
