"""Memory: what this process holds and keeps, what is free, and what of the accelerator's is taken."""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from pathlib import Path
from typing import Any

_STATM = Path("/proc/self/statm")
_STATUS = Path("/proc/self/status")
_MEMORY = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")
_SETTINGS = ((-4, 0), (-1, 2**31 - 1), (-2, 2**26))  # M_MMAP_MAX, M_TRIM_THRESHOLD, M_TOP_PAD of mallopt(3)
_ONE_ARENA = ((-8, 1),)  # M_ARENA_MAX


def resident_bytes() -> int:
    """Returns the memory that the process holds now; where the system does not say, the most it ever held."""
    try:
        return int(_STATM.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return _peak_by_usage()


def peak_bytes() -> int:
    """Returns the most memory that the process ever held, the program that began it not counted where Linux says so."""
    try:
        lines = _STATUS.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, ValueError, IndexError, StopIteration):
        return _peak_by_usage()


def _peak_by_usage() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes there, KiB elsewhere


def keep_freed_memory(backend: str) -> bool:
    """Lets what is freed stay with the process, for the next step wants it again.

    glibc returns large blocks to the system, whose pages have then to be cleared and mapped anew at each step: 2 to 7 %
    of a step's time was that (a language model of 2x650, a Transformer of 4x256, a bidirectional LSTM, on two cores),
    for 6 to 12 % more memory at the peak, what the libraries hold not counted.

    XLA asks for all that a step needs as one block, which no arena of a thread has room for; under JAX, where that is
    each step, all threads share the main one. Threads keep the arenas that they have: this comes before JAX's begin.
    Of the same models' steps it took another 10 to 21 %, for 8 to 12 % more memory at the peak, and 75 % with the
    Transformer, of whose block of 800 MB there are three at times. TensorFlow's small blocks would wait for each other.

    Args:
        backend: Keras's.

    Returns:
        Whether it was done: not where the C library is another, or where the user has settings of his own.
    """
    if any(name.startswith("MALLOC_") or name == "GLIBC_TUNABLES" for name in os.environ):
        return False
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is None or not hasattr(library, "gnu_get_libc_version"):
        return False
    settings = _SETTINGS + _ONE_ARENA if backend == "jax" else _SETTINGS
    return all([library.mallopt(name, value) for name, value in settings])


def free_bytes() -> int:
    """Returns the memory that can still be taken: of the machine, or of the container where that allows less."""
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit, used = ((_GROUP / name).read_text(encoding="ascii").strip() for name in ("memory.max", "memory.current"))
        return min(free, int(limit) - int(used))
    except (OSError, ValueError):  # no such group, or "max"
        return free


def accelerator_bytes() -> int | None:
    """Returns the bytes in use on the first accelerator; None where there is none or it does not say."""
    import keras

    try:
        return _jax() if keras.backend.backend() == "jax" else _tensorflow()
    except (ImportError, AttributeError, ValueError, RuntimeError):
        return None


def _jax() -> int | None:
    import jax

    statistics: Any = jax.local_devices()[0].memory_stats()
    return None if not statistics else int(statistics["bytes_in_use"])


def _tensorflow() -> int | None:
    import tensorflow as tf

    if not tf.config.list_logical_devices("GPU"):
        return None
    return int(tf.config.experimental.get_memory_info("GPU:0")["current"])
