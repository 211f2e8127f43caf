"""What a run was made with: versions, machine, backend."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
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
        "packages": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
