"""The run directory: every file of a run by name, written whole or not at all."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from textseq.errors import RunDirectoryError, problem
from textseq.files import append_line, explained, remove, replacing

# What belongs to a run; `--overwrite` deletes these and nothing else.
_CONTENTS = (
    *("config.yaml", "resolved.yaml", "plugins.json", "environment.json", "labels.json", "audit.json", "scores.json"),
    *("tokenizer", "checkpoints", "tensorboard", "plugins"),
    *("model.weights.h5", "metrics.jsonl", "timings.jsonl", "epochs.csv", "rows.npz", "samples.json", "report.html"),
    "setbacks.jsonl",
)
# Deleted in this order, so that what a kill leaves is still a run, and one without checkpoints.
_IN_ORDER = sorted(_CONTENTS, key=lambda name: (name == "resolved.yaml", name != "checkpoints"))
_LEFTOVER = re.compile(r"\.\d+\.(old\.)?.+")  # what a process that was killed had not yet renamed


class RunDirectory:
    """The files of one run.

    Make one with `create` for a run to come, with `open` for one that was made.

    Args:
        path: The run's own directory.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: str | Path, *, overwrite: bool = False) -> RunDirectory:
        """Makes the directory of a new run.

        Args:
            path: The run's own directory; its parents are made too.
            overwrite: Whether to delete an earlier run that lies there. Nothing but a run's own files is ever deleted.

        Raises:
            RunDirectoryError: Something lies there already, or the directory cannot be made.
        """
        run = cls(path)
        run.refuse_if_taken(overwrite=overwrite)
        with explained(run.path):
            for name in _IN_ORDER if run.path.is_dir() else ():
                item = run.path / name
                shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink(missing_ok=True)
            run.path.mkdir(parents=True, exist_ok=True)
            run.clear_leftovers()
        return run

    def clear_leftovers(self) -> None:
        """Deletes what a process that was killed had begun to write, and not yet renamed."""
        for folder in (self.path, self.checkpoints):
            for item in folder.iterdir() if folder.is_dir() else ():
                if _LEFTOVER.fullmatch(item.name):
                    remove(item)

    def refuse_if_read_only(self) -> None:
        """Says that nothing can be written here, or where the directory would be made, before any work is done.

        Raises:
            RunDirectoryError: So it is.
        """
        there = self._nearest_there()
        if not os.access(there, os.W_OK | os.X_OK):
            way_out = "Choose a folder that you may write to"
            raise RunDirectoryError(problem(str(there), "may not be written to", way_out=way_out))

    def _nearest_there(self) -> Path:
        return next(folder for folder in (self.path, *self.path.absolute().parents) if folder.exists())

    def refuse_if_taken(self, *, overwrite: bool) -> None:
        """Says what is in the way of a new run here, before any work is done; changes nothing.

        Raises:
            RunDirectoryError: Something lies there that may not be deleted, or no folder can be made there.
        """
        if self.path.is_dir():
            names = [item.name for item in self.path.iterdir() if not _LEFTOVER.fullmatch(item.name)]
            strangers = sorted(name for name in names if name not in _CONTENTS)
            is_run = self.resolved.is_file()
            if names and not overwrite:
                wrong = "holds a run already" if is_run else "is not empty"
                way_out = "Name another --run-dir, or pass --overwrite to replace a run"
                if is_run and not self.scores.is_file():
                    wrong = "holds a run that is not finished"
                    way_out = "Pass --resume to go on with it, or --overwrite to begin anew"
                raise RunDirectoryError(problem(str(self.path), wrong, way_out=way_out))
            if strangers and not is_run:
                wrong = f"holds no run but other files ({', '.join(strangers[:3])}), so it is left alone"
                raise RunDirectoryError(problem(str(self.path), wrong, way_out="Name another --run-dir"))
            return
        nearest_there = self._nearest_there()
        if not nearest_there.is_dir():
            wrong = "is a file, not a directory" if nearest_there == self.path else f"{nearest_there} is a file"
            raise RunDirectoryError(problem(str(self.path), wrong, way_out="Name another --run-dir"))

    @classmethod
    def open(cls, path: str | Path, *, trained: bool = True) -> RunDirectory:
        """Opens the directory of an earlier run.

        Args:
            path: The run's own directory.
            trained: Whether a tokenizer and weights must be there; false to resume a run that was cut off early.

        Raises:
            RunDirectoryError: It is no run, or something of it is missing; says what.
        """
        run = cls(path)
        if not run.path.is_dir():
            raise RunDirectoryError(problem(str(run.path), "there is no such directory", way_out=_nearby(run.path)))
        if not run.resolved.is_file():
            raise RunDirectoryError(
                problem(
                    str(run.path),
                    "is no run directory, for it has no resolved.yaml",
                    way_out=_nearby(run.path) or "Name what `textseq train` wrote: --run-dir, or runs/<name>",
                )
            )
        missing = [item.name for item in (run.tokenizer, run.weights) if trained and not item.exists()]
        if missing:
            raise RunDirectoryError(
                problem(
                    str(run.path),
                    f"is half a run, without {' and '.join(missing)}",
                    way_out="Its training did not reach the first validation; train it again",
                )
            )
        return run

    @property
    def config(self) -> Path:
        """The config as it was written."""
        return self.path / "config.yaml"

    @property
    def resolved(self) -> Path:
        """The config with every default."""
        return self.path / "resolved.yaml"

    @property
    def plugins(self) -> Path:
        """Where each component came from: module, version, sha256."""
        return self.path / "plugins.json"

    @property
    def environment(self) -> Path:
        """Versions and machine."""
        return self.path / "environment.json"

    @property
    def tokenizer(self) -> Path:
        """The folder of the fitted tokenizer."""
        return self.path / "tokenizer"

    @property
    def labels(self) -> Path:
        """The classes, for tasks that have them."""
        return self.path / "labels.json"

    @property
    def audit(self) -> Path:
        """What was found in the data."""
        return self.path / "audit.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of what resuming needs."""
        return self.path / "checkpoints"

    @property
    def weights(self) -> Path:
        """The best weights."""
        return self.path / "model.weights.h5"

    @property
    def metrics(self) -> Path:
        """One JSON object a line, as training went on."""
        return self.path / "metrics.jsonl"

    @property
    def scores(self) -> Path:
        """The scores of the best weights, by split."""
        return self.path / "scores.json"

    @property
    def timings(self) -> Path:
        """One JSON object a line: how fast training was, and what memory it took."""
        return self.path / "timings.jsonl"

    @property
    def rows(self) -> Path:
        """What the best weights say of each row of the test split, or of validation where there is none."""
        return self.path / "rows.npz"

    @property
    def samples(self) -> Path:
        """Texts that a language model wrote."""
        return self.path / "samples.json"

    @property
    def report(self) -> Path:
        """The report: one page that needs no network."""
        return self.path / "report.html"

    def write_text(self, name: str, text: str) -> Path:
        """Writes a file whole: readers see the old one or the new one, never half of one."""
        with replacing(self.path / name) as beside:
            beside.write_text(text, encoding="utf-8")
        return self.path / name

    def write_bytes(self, name: str, content: bytes) -> Path:
        """Writes a file whole, in a folder that is made if need be."""
        path = self.path / name
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            beside.write_bytes(content)
        return path

    def write_json(self, name: str, value: Any) -> Path:
        """Writes `value` as JSON; NumPy numbers become plain ones, NaN and infinity become null."""
        return self.write_text(name, json.dumps(_plain(value), ensure_ascii=False, indent=2) + "\n")

    def read_json(self, name: str) -> Any:
        """Reads a JSON file.

        Raises:
            RunDirectoryError: It is missing or is not JSON.
        """
        try:
            return json.loads((self.path / name).read_text(encoding="utf-8"))
        except OSError as error:
            raise RunDirectoryError(problem(str(self.path), f"cannot read {name}: {error.strerror}")) from error
        except ValueError as error:
            raise RunDirectoryError(problem(str(self.path / name), f"is not JSON: {error}")) from error

    def append_jsonl(self, name: str, value: Any) -> None:
        """Adds a line to a JSON Lines file, after cutting off a line that a crash left unfinished."""
        append_line(self.path / name, _line(value))

    def write_jsonl(self, name: str, values: Sequence[Any]) -> None:
        """Writes a JSON Lines file whole."""
        self.write_text(name, "".join(f"{_line(value)}\n" for value in values))

    def read_jsonl(self, name: str) -> list[Any]:
        """Reads the whole lines of a JSON Lines file; none where there is no file.

        Raises:
            RunDirectoryError: A line is not JSON.
        """
        path = self.path / name
        if not path.is_file():
            return []
        try:
            with path.open(encoding="utf-8") as file:
                return [json.loads(line) for line in file if line.endswith("\n")]
        except ValueError as error:
            raise RunDirectoryError(problem(str(path), f"is not JSON Lines: {error}")) from error


def _line(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Returns `value` in types that JSON knows."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):  # NumPy's arrays and numbers
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def _nearby(path: Path) -> str:
    """Suggests the runs that lie in or beside a folder."""
    for folder in (path, path.parent):
        if folder.is_dir():
            runs = sorted(str(item.parent) for item in folder.glob("*/resolved.yaml"))[:5]
            if runs:
                return f"Runs nearby: {', '.join(runs)}"
    return ""
