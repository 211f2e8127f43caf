"""The folder of a run's checkpoints: the last few are kept, and the best weights as they were at each."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from textseq.errors import RunFailedError, problem
from textseq.files import explained, sync
from textseq.rundir import RunDirectory
from textseq.training.checkpoints.sealed import DamagedError, read_sealed, sha256_of, write_sealed

_NAME = re.compile(r"step-(\d{12})")
_WEIGHTS = ".weights.h5"
# Files that grow while a run trains; a checkpoint knows how long each was.
_GROWING = ("metrics.jsonl", "timings.jsonl", "epochs.csv")


@dataclass(frozen=True)
class Checkpoint:
    """All that a training needs to go on.

    Attributes:
        about: Everything that is no tensor; JSON-serialisable. Always in it: `step`, batches trained on in all;
            `regular`, whether the config and not a clock said that it be written; `regular_step`, of the last that
            was; `files`, the lengths of what grows, in bytes; `weights`, the SHA-256 of the best weights, or None.
        arrays: The values of all variables.
    """

    about: Mapping[str, Any]
    arrays: Sequence[np.ndarray]

    @property
    def step(self) -> int:
        """Batches trained on in all."""
        return int(self.about["step"])


class Checkpoints:
    """Writes, reads and thins out a run's checkpoints.

    Args:
        run: The run directory.
        keep: How many stay. The last regular one stays beside them, for that is where a diverging run goes back to.
    """

    def __init__(self, run: RunDirectory, keep: int = 2) -> None:
        self.run, self.keep = run, keep
        self.folder = run.checkpoints
        self._regular: int | None = None
        self._hashed: tuple[Any, str] = (None, "")

    def steps(self) -> list[int]:
        """Returns the steps of the checkpoints there are, whole or not, in order."""
        if not self.folder.is_dir():
            return []
        return sorted(int(found[1]) for item in self.folder.iterdir() if (found := _NAME.fullmatch(item.name)))

    def write(self, about: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> None:
        """Writes a checkpoint whole or not at all, then deletes those that are no longer wanted.

        Args:
            about: As `Checkpoint.about`, without `files`, `weights` and `regular_step`, which are found here.
            arrays: The values of all variables.

        Raises:
            RunFailedError: The disk is full; the checkpoints before stay.
            RunDirectoryError: The folder cannot be written.
        """
        step, weights = int(about["step"]), self._weights_hash()
        with explained(self.folder):
            self.folder.mkdir(exist_ok=True)
            if weights is not None:
                _link(self.run.weights, self._weights(step))
        if about["regular"]:
            self._regular = step
        files = {name: self._length(name) for name in _GROWING}
        found = {"files": files, "weights": weights, "regular_step": self._regular}
        write_sealed(self._path(step), {**about, **found}, arrays)
        with explained(self.folder):
            self._thin_out()

    def read(self, step: int) -> Checkpoint:
        """Reads a checkpoint.

        Raises:
            DamagedError: It, or the best weights that belong to it, are not as they were written.
        """
        about, arrays = read_sealed(self._path(step))
        path = self._weights(step)
        if about["weights"] is not None and (not path.is_file() or sha256_of(path) != about["weights"]):
            raise DamagedError(problem(str(path), "is damaged: its bytes are not those that were written"))
        return Checkpoint(about, arrays)

    def latest(self, say: Callable[[str], None]) -> Checkpoint | None:
        """Returns the last checkpoint that is whole; None where none was ever written.

        Args:
            say: Takes a line for each that is damaged.

        Raises:
            RunFailedError: There are checkpoints, but each is damaged.
        """
        steps = self.steps()
        for step in reversed(steps):
            try:
                return self.read(step)
            except DamagedError as error:
                say(f"{error} The one before it is used.")
        if steps:
            way_out = "Begin anew with --overwrite, or with another --run-dir"
            raise RunFailedError(problem(str(self.folder), "every checkpoint is damaged", way_out=way_out))
        return None

    def last_regular(self, say: Callable[[str], None]) -> Checkpoint | None:
        """Returns the last checkpoint that the config, and no clock or signal, said be written; else as `latest`."""
        if self._regular is not None:
            try:
                return self.read(self._regular)
            except DamagedError as error:
                say(f"{error} Another is used.")
        return self.latest(say)

    def put_back(self, checkpoint: Checkpoint) -> None:
        """Makes the run's files as they were at a checkpoint: best weights and logs."""
        with explained(self.run.path):
            if checkpoint.about["weights"] is None:
                self.run.weights.unlink(missing_ok=True)
            else:
                _link(self._weights(checkpoint.step), self.run.weights)
            for name, length in checkpoint.about["files"].items():
                if self._length(name) > length:
                    os.truncate(self.run.path / name, length)
        self._regular = checkpoint.about["regular_step"]

    def forget_after(self, step: int) -> None:
        """Deletes later checkpoints: damaged ones, or those of a course that was given up."""
        with explained(self.folder):
            for later in self.steps():
                if later > step:
                    self._delete(later)

    def thin_out_to_last(self) -> None:
        """Leaves one checkpoint, from which a finished training can be gone on with for more epochs."""
        with explained(self.folder):
            for step in self.steps()[:-1]:
                self._delete(step)

    def _thin_out(self) -> None:
        steps = self.steps()
        wanted = {*steps[-self.keep :], *([] if self._regular is None else [self._regular])}
        for step in steps:
            if step not in wanted:
                self._delete(step)
        for item in self.folder.iterdir():
            if item.name.endswith(_WEIGHTS) and item.name.removesuffix(_WEIGHTS) not in map(_name, wanted):
                item.unlink(missing_ok=True)

    def _delete(self, step: int) -> None:
        self._path(step).unlink(missing_ok=True)
        self._weights(step).unlink(missing_ok=True)

    def _path(self, step: int) -> Path:
        return self.folder / _name(step)

    def _weights(self, step: int) -> Path:
        return self.folder / (_name(step) + _WEIGHTS)

    def _length(self, name: str) -> int:
        path = self.run.path / name
        return path.stat().st_size if path.is_file() else 0

    def _weights_hash(self) -> str | None:
        """Returns the hash of the best weights, read anew only when they were written anew."""
        if not self.run.weights.is_file():
            return None
        found = self.run.weights.stat()
        identity = (found.st_ino, found.st_mtime_ns, found.st_size)
        if self._hashed[0] != identity:
            self._hashed = (identity, sha256_of(self.run.weights))
        return self._hashed[1]


def _name(step: int) -> str:
    return f"step-{step:012d}"


def _link(source: Path, target: Path) -> None:
    """Makes `target` the same file as `source` in one step; a copy where the file system has no links."""
    beside = target.with_name(f".{os.getpid()}.{target.name}")
    beside.unlink(missing_ok=True)
    try:
        os.link(source, beside)
    except OSError:
        shutil.copyfile(source, beside)
        sync(beside)
    beside.replace(target)  # does nothing, and leaves `beside`, where both are one file already
    beside.unlink(missing_ok=True)
