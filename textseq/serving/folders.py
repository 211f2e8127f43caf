"""Which versions a model's folder holds, and which of them should be served."""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_VERSION = re.compile(r"[0-9]{1,19}", re.ASCII)
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Policy:
    """Which of the versions on disk should be served.

    Attributes:
        newest: How many of the newest; None means all.
        specific: These and no others, where given.
    """

    newest: int | None = 1
    specific: frozenset[int] = frozenset()

    def choose(self, versions: Collection[int]) -> list[int]:
        """Returns the versions to serve, newest first."""
        ordered = sorted(versions, reverse=True)
        if self.specific:
            return [version for version in ordered if version in self.specific]
        return ordered[: self.newest]


NEWEST = Policy()


def versions_in(base: Path) -> dict[int, Path] | None:
    """Returns the folders whose names are numbers; None where `base` cannot be read just now.

    A `base` that is itself an exported version counts as its only one.
    """
    if is_version(base):
        return {_number(base.name) or 1: base}
    try:
        with os.scandir(base) as entries:
            named = {entry.name: _number(entry.name) for entry in entries if entry.is_dir()}
    except OSError:
        return None
    return {number: base / name for name, number in sorted(named.items()) if number is not None}


def is_version(folder: Path) -> bool:
    """Says whether a folder is one exported version."""
    return (folder / "saved_model.pb").is_file()


def fingerprint(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Returns names, sizes and times of a version's files, which tell whether a broken one has changed."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            known = path.stat()
        except OSError:
            continue
        found.append((str(path), known.st_size, known.st_mtime_ns))
    return tuple(found)


def _number(name: str) -> int | None:
    return int(name) if _VERSION.fullmatch(name) and int(name) <= _LARGEST else None
