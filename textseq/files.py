"""Writing so that a file is there whole or not at all, and so that a full disk is a sentence and not a traceback."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from textseq.errors import RunDirectoryError, RunFailedError, TextseqError, problem

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}
_BLOCK_BYTES = 4096


class DiskError(RunFailedError):
    """Something cannot be written, for the disk is full or fails."""


class ForbiddenError(RunDirectoryError):
    """Something may not be written where it was to be."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write a file or a folder to; at the end it takes the place of `path`.

    What was there before stays until then, and stays for good if the block raises.

    Args:
        path: Where the file or folder is to appear.

    Raises:
        DiskError: The disk is full or failed.
        ForbiddenError: Writing there is not allowed.
    """
    beside = path.with_name(f".{os.getpid()}.{path.name}")  # the ending stays: Keras goes by it
    with explained(path):
        try:
            yield beside
            sync(beside)
            _swap(beside, path)
        finally:
            remove(beside)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns what the operating system says about writing to `path` into a sentence.

    Raises:
        DiskError: The disk is full or failed.
        ForbiddenError: Writing there is not allowed.
    """
    try:
        yield
    except OSError as error:
        raise _explanation(path, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps other processes from training in a folder, for as long as the block lasts and this process lives.

    Args:
        folder: Made, with its parents, where it is not there.

    Raises:
        RunDirectoryError: Another process trains there.
    """
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def append_line(path: Path, line: str) -> None:
    """Adds a line to a file of lines and waits for the disk; first cuts off a line that a crash left unfinished.

    Raises:
        DiskError: The disk is full or failed.
        ForbiddenError: Writing there is not allowed.
    """
    with explained(path), path.open("a+b") as file:
        file.truncate(_end_of_last_line(file))
        file.write(f"{line}\n".encode())
        file.flush()
        os.fsync(file.fileno())


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        way_out = "Wait until it ends, or end it"
        raise RunDirectoryError(problem(str(folder), "another process trains here", way_out=way_out)) from error
    except OSError:  # the file system has no locks
        return


def _explanation(path: Path, error: OSError) -> TextseqError:
    number = error.errno or _errno_in(str(error))
    if number in _NO_SPACE:
        way_out = "What was written before is whole; make room and go on"
        return DiskError(problem(str(path), "cannot be written, for the disk is full", way_out=way_out))
    if number in _NOT_ALLOWED:
        way_out = "Choose a folder that you may write to"
        return ForbiddenError(problem(str(path), f"cannot be written: {os.strerror(number)}", way_out=way_out))
    return DiskError(problem(str(path), f"cannot be written: {error.strerror or error}"))


def _errno_in(text: str) -> int:
    """Returns the number that HDF5 puts into its messages, which come without one of their own; 0 for none."""
    found = re.search(r"errno = (\d+)", text)
    return int(found[1]) if found else 0


def sync(path: Path, *, deep: bool = True) -> None:
    """Waits until a file, or a folder with all that is in it where `deep`, is on the disk."""
    for item in [*path.rglob("*"), path] if path.is_dir() and deep else [path]:
        descriptor = os.open(item, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _swap(beside: Path, path: Path) -> None:
    """Renames into place; only a folder, which cannot be replaced in one step, is moved out of the way first."""
    old = path.with_name(f".{os.getpid()}.old.{path.name}")
    if path.is_dir():
        path.replace(old)
    beside.replace(path)
    remove(old)
    with suppress(OSError):  # some file systems cannot sync a folder; the file itself is safe
        sync(path.parent, deep=False)


def remove(path: Path) -> None:
    """Deletes a file, a link, or a folder with all that is in it; what is not there is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _end_of_last_line(file: BinaryIO) -> int:
    """Returns where the last whole line ends."""
    position = file.seek(0, os.SEEK_END)
    while position > 0:
        start = max(position - _BLOCK_BYTES, 0)
        file.seek(start)
        newline = file.read(position - start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        position = start
    return 0
