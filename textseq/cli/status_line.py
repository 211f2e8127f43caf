"""A line on stderr that says where long work stands: rewritten on a terminal, a new one now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

_SECONDS_BETWEEN_LINES = 10.0


@contextmanager
def status_line(*, quiet: bool = False) -> Iterator[Callable[[str], None]]:
    """Yields a function that says where the work stands.

    Args:
        quiet: Whether nothing is to be said.
    """
    if quiet:
        yield lambda line: None
    elif sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status("") as shown:
            yield lambda line: shown.update(line)
    else:
        yield _spaced()


def _spaced() -> Callable[[str], None]:
    spoke = time.monotonic()

    def say(line: str) -> None:
        nonlocal spoke
        if time.monotonic() - spoke >= _SECONDS_BETWEEN_LINES:
            spoke = time.monotonic()
            click.echo(line, err=True)

    return say
