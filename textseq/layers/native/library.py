"""Compiles what is here once for this processor."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from importlib.metadata import version
from pathlib import Path

_HERE = Path(__file__).parent
_COMPILERS = ("g++", "clang++", "c++")
_OPTIONS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-shared", "-fPIC", "-pthread")
_PROCESSORS = Path("/proc/cpuinfo")
_PACKAGES = {"tensorflow": "tensorflow", "jax": "jaxlib"}


class Unavailable(Exception):
    """Why it cannot be compiled or loaded here."""


def compiler() -> str | None:
    """Returns the path of the C++ compiler: `CXX`, or the first of g++, clang++ and c++ that there is."""
    names = (os.environ["CXX"],) if os.environ.get("CXX") else _COMPILERS
    return next((found for found in map(shutil.which, names) if found), None)


@functools.cache
def library(backend: str) -> Path:
    """Returns what is compiled for a backend, compiling them where this machine has not yet.

    Args:
        backend: "tensorflow" or "jax".

    Raises:
        Unavailable: There is no compiler, or it fails.
    """
    found, target = _place(backend)
    if not target.is_file():
        _compile(backend, found, target)
    return target


def has_to_compile(backend: str) -> bool:
    """Whether `library` would compile, which takes some ten seconds: nobody has on this machine yet, and it can."""
    try:
        return not _place(backend)[1].is_file()
    except Unavailable:
        return False


def _place(backend: str) -> tuple[str, Path]:
    """Returns the compiler and where what it makes is kept."""
    found = compiler()
    if found is None:
        raise Unavailable("there is no C++ compiler (g++, clang++, or one that CXX names)")
    folder = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "textseq"
    return found, folder / f"{backend}-{_state(backend, found)}.so"


def _state(backend: str, found: str) -> str:
    """Returns a digest of all that what is compiled depends on."""
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=False).stdout
    sources = [path.read_text(encoding="utf-8") for path in sorted([*_HERE.glob("*.h"), _HERE / f"{backend}.cc"])]
    parts = [version(_PACKAGES[backend]), said, *_OPTIONS, _processor(), *sources]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _processor() -> str:
    """Returns what the machine says of its first processor."""
    if not _PROCESSORS.is_file():
        return f"{platform.machine()} {platform.processor()}"
    first, _, _ = _PROCESSORS.read_text(encoding="utf-8").partition("\n\n")
    kept = ("model name", "flags", "Features", "CPU implementer", "CPU part")
    return "\n".join(line for line in first.splitlines() if line.startswith(kept))


def _compile(backend: str, found: str, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            made = Path(folder) / target.name
            command = [found, *_OPTIONS, str(_HERE / f"{backend}.cc"), "-o", str(made), *_of_backend(backend)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip())
                raise Unavailable(f"{found} does not compile it: {first}")
            made.replace(target)
    except OSError as error:
        raise Unavailable(f"it cannot be compiled into {target.parent}: {error.strerror}") from error


def _of_backend(backend: str) -> list[str]:
    if backend == "jax":
        import jax

        return [f"-I{jax.ffi.include_dir()}"]
    import tensorflow as tf

    return [f"-I{tf.sysconfig.get_include()}", *tf.sysconfig.get_link_flags()]
