"""Checkpoint files: what is written is read, and a single changed byte is noticed."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from textseq.errors import RunFailedError
from textseq.training.checkpoints import sealed
from textseq.training.checkpoints.sealed import DamagedError, read_sealed, write_sealed

_DAMAGES = 200


def arrays() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [
        generator.normal(size=(7, 5)).astype(np.float32),
        generator.normal(size=(3,)).astype(ml_dtypes.bfloat16),
        np.array(12, np.int64),
        np.zeros((0, 4), np.float32),
        np.array([True, False]),
        np.array([[np.nan, np.inf]], np.float64).T,
    ]


def test_what_is_written_is_read_to_the_last_bit(tmp_path: Path) -> None:
    about = {"step": 3, "best": 0.1 + 0.2, "nothing": None, "worst": float("inf")}
    write_sealed(tmp_path / "file", about, arrays())
    read_about, read = read_sealed(tmp_path / "file")
    assert read_about == about
    assert len(read) == len(arrays())
    for one, other in zip(arrays(), read, strict=True):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_every_changed_cut_or_added_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_sealed(path, {"step": 3}, arrays())
    whole = path.read_bytes()
    generator = random.Random(0)
    noticed = 0
    for number in range(_DAMAGES):
        place = generator.randrange(len(whole))
        flipped = whole[:place] + bytes([whole[place] ^ (1 << generator.randrange(8))]) + whole[place + 1 :]
        path.write_bytes((flipped, whole[:place], whole + whole[: place + 1])[number % 3])
        with pytest.raises(DamagedError, match="damaged"):
            read_sealed(path)
        noticed += 1
    assert noticed == _DAMAGES
    path.write_bytes(whole)
    assert read_sealed(path)[0] == {"step": 3}


def test_a_missing_file_is_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(DamagedError, match="cannot be read: No such file"):
        read_sealed(tmp_path / "file")


def test_a_full_disk_leaves_the_file_that_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_sealed(path, {"step": 1}, arrays())

    class FullDisk:
        def __init__(self, beside: Path) -> None:
            self.file = beside.open("wb")

        def __enter__(self) -> FullDisk:
            return self

        def __exit__(self, *error: object) -> None:
            self.file.close()

        def write(self, data: bytes) -> None:
            if self.file.tell() > 300:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.file.write(data)

    monkeypatch.setattr(sealed, "_opened", FullDisk)
    with pytest.raises(RunFailedError, match="the disk is full"):
        write_sealed(path, {"step": 2}, arrays())
    assert read_sealed(path)[0] == {"step": 1}
    assert [item.name for item in tmp_path.iterdir()] == ["file"]
