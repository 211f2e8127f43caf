"""Numbered versions in a folder, as TensorFlow Serving watches them: each appears whole, under the next number."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from textseq.files import explained, remove, sync

_TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}


@contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """Yields a path inside `folder` that no server takes for a version, and removes what is left there at the end.

    Raises:
        RunDirectoryError: The folder cannot be written.
        RunFailedError: The disk is full or failed.
    """
    made = not folder.exists()
    beside = folder / f".{os.getpid()}.exporting"
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            yield beside
        finally:
            remove(beside)
            if made and not any(folder.iterdir()):
                folder.rmdir()


def next_version(folder: Path) -> int:
    """Returns the highest number in `folder` plus one; 1 where there is no folder."""
    items = folder.iterdir() if folder.is_dir() else ()
    return max((int(item.name) for item in items if item.name.isascii() and item.name.isdigit()), default=0) + 1


def publish(beside: Path, folder: Path) -> Path:
    """Renames a finished version to the highest number in `folder` plus one, and returns its path."""
    sync(beside)
    while True:
        target = folder / str(next_version(folder))
        try:
            beside.rename(target)
        except OSError as error:  # another export was quicker
            if error.errno not in _TAKEN or not target.exists():
                raise
        else:
            with suppress(OSError):  # some file systems cannot sync a folder
                sync(folder, deep=False)
            return target
