"""Paths that a click opens, in terminals that know how."""

from __future__ import annotations

import sys
from pathlib import Path


def link(path: Path, *, to_stderr: bool = False) -> str:
    """Returns a path that a terminal shows as a link to the file; the plain path where output goes elsewhere.

    Args:
        path: Of a file.
        to_stderr: Whether it will be written to stderr rather than stdout.

    Source: OSC 8, https://gist.github.com/egmontkob/eb114294efbcd5adb1944c9f3cb5feda.
    """
    stream = sys.stderr if to_stderr else sys.stdout
    if not stream.isatty():
        return str(path)
    return f"\x1b]8;;{path.resolve().as_uri()}\x1b\\{path}\x1b]8;;\x1b\\"
