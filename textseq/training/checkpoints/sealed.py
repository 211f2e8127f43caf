"""Arrays in one file under a seal: whatever byte of it is changed, cut off or added, reading it says so.

The file is a line that names the format, the length of a JSON header, the header, the arrays' bytes one after the
other, and at last the SHA-256 of everything before it.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import ml_dtypes  # noqa: F401  # teaches NumPy the name "bfloat16"
import numpy as np

from textseq.errors import RunDirectoryError, problem
from textseq.files import replacing

_FORMAT = b"textseq checkpoint 1\n"
_LENGTH = struct.Struct("<Q")
_SEAL_BYTES = hashlib.sha256().digest_size


class DamagedError(RunDirectoryError):
    """A file is not as it was written."""


def write_sealed(path: Path, about: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> None:
    """Writes a file beside `path` and renames it into place.

    Args:
        path: Where it appears, whole.
        about: JSON-serialisable.
        arrays: Of any shape and of a type that NumPy, or ml_dtypes, knows by name.

    Raises:
        RunFailedError: The disk is full.
        RunDirectoryError: The folder cannot be written.
    """
    kinds = [{"dtype": array.dtype.name, "shape": list(array.shape)} for array in arrays]
    header = json.dumps({"about": dict(about), "arrays": kinds}).encode()
    with replacing(path) as beside, _opened(beside) as file:
        seal = hashlib.sha256()
        for part in (_FORMAT, _LENGTH.pack(len(header)), header):
            seal.update(part)
            file.write(part)
        for array in arrays:
            data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
            seal.update(data)
            file.write(data)
        file.write(seal.digest())


def _opened(path: Path) -> BinaryIO:
    return path.open("wb")


def read_sealed(path: Path) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Reads what `write_sealed` wrote.

    Raises:
        DamagedError: The file is missing, or no longer what was written.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DamagedError(problem(str(path), f"cannot be read: {error.strerror or error}")) from error
    body, seal = data[:-_SEAL_BYTES], data[-_SEAL_BYTES:]
    if len(data) < len(_FORMAT) + _LENGTH.size + _SEAL_BYTES or hashlib.sha256(body.data).digest() != seal.tobytes():
        raise DamagedError(problem(str(path), "is damaged: its bytes are not those that were written"))
    if body[: len(_FORMAT)].tobytes() != _FORMAT:
        raise DamagedError(problem(str(path), "is no checkpoint of this version of textseq"))
    place = len(_FORMAT) + _LENGTH.size
    (length,) = _LENGTH.unpack(body[len(_FORMAT) : place].tobytes())
    header = json.loads(body[place : place + length].tobytes())
    return header["about"], _arrays(body[place + length :], header["arrays"])


def _arrays(data: np.ndarray, kinds: Sequence[Mapping[str, Any]]) -> list[np.ndarray]:
    arrays, place = [], 0
    for kind in kinds:
        dtype = np.dtype(kind["dtype"])
        size = int(np.prod(kind["shape"], dtype=np.int64)) * dtype.itemsize
        arrays.append(np.frombuffer(data[place : place + size].tobytes(), dtype).reshape(kind["shape"]))
        place += size
    return arrays


def sha256_of(path: Path) -> str:
    """Returns a file's SHA-256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
