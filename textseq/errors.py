"""Every error that textseq raises on purpose, and the sentence they are all written in."""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from typing import Any

_NOTHING = object()
_SHOWN_CHARACTERS = 200


class TextseqError(Exception):
    """A failure that textseq foresaw; its text is one clear sentence for the user.

    Attributes:
        exit_code: What the command line exits with: 1 for a run that failed, 2 for wrong use.
    """

    exit_code = 1


class RunFailedError(TextseqError):
    """A run that was asked for correctly and failed on the way."""


class UsageError(TextseqError):
    """The user asked for something that cannot be; nothing was begun."""

    exit_code = 2


class ConfigError(UsageError):
    """A config file, or a setting from the command line, is wrong. Its text lists every problem found."""


class DataError(UsageError):
    """A dataset, a file of texts or a column of them is missing or is not what the config says."""


class RegistryError(UsageError):
    """A plugin is unknown, defined twice, or does not load."""


class PluginImportError(RegistryError):
    """A plugin does not import, or registers nothing."""


class NameTakenError(RegistryError):
    """Two components want one name."""


class RunDirectoryError(UsageError):
    """A folder is not a run directory, or only half of one."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error is Python's, the system's, TensorFlow's or JAX's for memory that is at its end."""
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        return True
    named = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or "ResourceExhausted" in named or "RESOURCE_EXHAUSTED" in named


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """Returns the candidate most like `name`, or None where none is alike."""
    found = difflib.get_close_matches(name, list(candidates), n=1, cutoff=0.6)
    return found[0] if found else None


def shown(value: Any) -> str:
    """Returns `value` as an error sentence shows it: its repr, cut to 200 characters."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def problem(place: str, wrong: str, *, received: Any = _NOTHING, way_out: str = "") -> str:
    """Builds the house's error sentence: `<place>: <wrong>. Received: <value>. <way out>.`.

    Args:
        place: What the user wrote or named: a config path, a file, a column.
        wrong: What is wrong with it.
        received: The value that was found there; left out when not given.
        way_out: What the user can do about it.
    """
    parts = [f"{place}: {wrong.rstrip('.')}."]
    if received is not _NOTHING:
        parts.append(f"Received: {shown(received)}.")
    if way_out:
        parts.append(way_out.rstrip(".") + ".")
    return " ".join(parts)


def unknown(kind: str, name: str, available: Iterable[str]) -> str:
    """Builds the sentence for an unknown name: `Unknown encoder 'lsmt'. Did you mean 'lstm'? Available: …`."""
    names = sorted(available)
    near = nearest(name, names)
    hint = f" Did you mean '{near}'?" if near else ""
    return f"Unknown {kind} '{name}'.{hint} Available: {', '.join(names) or 'none'}."
