"""The machine and the software that figures were measured on, and the memory of a process."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from textseq.training.environment import versions

_PACKAGES = ("textseq", "keras", "tensorflow", "jax", "torch", "onnxruntime", "numpy", "datasets", "sentencepiece")


def machine() -> dict[str, Any]:
    """Returns processor, cores, memory, versions and the time, JSON-serialisable."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "gpu": gpu(),
        "memory_gigabytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "packages": versions(_PACKAGES),
    }


def gpu() -> str | None:
    """Returns the name of the first NVIDIA GPU; None where there is none."""
    try:
        command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def gpu_peak_megabytes() -> float:
    """Returns the largest memory of a GPU that this process's tensors have taken so far, as its library knows."""
    if "torch" in sys.modules:
        return float(sys.modules["torch"].cuda.max_memory_allocated()) / 1e6
    return float(sys.modules["jax"].devices()[0].memory_stats()["peak_bytes_in_use"]) / 1e6


def busy() -> str | None:
    """Says that other processes are at work, on a machine where they are; then figures mean little."""
    load = os.getloadavg()[0]
    return f"{load:.1f} processes were busy in the last minute: ratios will be off" if load > 0.7 else None


def peak_megabytes() -> float:
    """Returns the largest resident memory of this process so far.

    Linux's own record is read where there is one, for `getrusage` begins with the memory of the process that forked.
    """
    found = _status("VmHWM")
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return found if found is not None else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def megabytes_held(process: int | None = None) -> float:
    """Returns the resident memory of a process now, of this one unless its number is given."""
    found = _status("VmRSS", process)
    if found is not None:
        return found
    command = ["ps", "-o", "rss=", "-p", str(process or os.getpid())]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout) / 1e3


def _status(name: str, process: int | None = None) -> float | None:
    status = Path(f"/proc/{process or 'self'}/status")
    if not status.is_file():
        return None
    found = [line for line in status.read_text().splitlines() if line.startswith(f"{name}:")]
    return int(found[0].split()[1]) / 1e3 if found else None


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
