"""What a run was made with: versions, machine, backend."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import time
from collections.abc import Iterable
from typing import Any

_PACKAGES = ("textseq", "keras", "tensorflow", "jax", "numpy", "datasets", "sentencepiece", "pyarrow")


def environment() -> dict[str, Any]:
    """Returns versions, machine, backend and time, JSON-serialisable."""
    import keras

    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "backend": keras.backend.backend(),
        "packages": versions(_PACKAGES),
    }


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Returns the version of each package that is installed."""
    found = {}
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
