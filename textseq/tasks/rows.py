"""What a run keeps of each scored row, so that reports and comparisons need neither the model nor the dataset."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from textseq.errors import RunDirectoryError, problem
from textseq.files import replacing

_ABOUT = "about"


@dataclass(frozen=True)
class RowRecord:
    """The answers of a model on one split, row by row, in the dataset's order.

    Attributes:
        about: What stands for the whole split, JSON-serialisable; `kind` says what the arrays are.
        arrays: By name.
    """

    about: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]

    def save(self, path: Path) -> None:
        """Writes one compressed file, whole or not at all.

        Raises:
            RunFailedError: The disk is full.
        """
        text = json.dumps(dict(self.about), ensure_ascii=False).encode("utf-8", "replace")
        with replacing(path) as beside:
            everything: dict[str, Any] = {**self.arrays, _ABOUT: np.frombuffer(text, np.uint8)}
            np.savez_compressed(beside, **everything)

    @classmethod
    def load(cls, path: Path) -> RowRecord:
        """Reads what `save` wrote.

        Raises:
            RunDirectoryError: The file is missing or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            about = json.loads(arrays.pop(_ABOUT).tobytes())
        except FileNotFoundError as error:
            way_out = f"Make it: textseq evaluate {path.parent} --record"
            raise RunDirectoryError(problem(str(path), "there is no such file", way_out=way_out)) from error
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            way_out = f"Make it again: textseq evaluate {path.parent} --record"
            raise RunDirectoryError(problem(str(path), f"is damaged: {error}", way_out=way_out)) from error
        return cls(about, arrays)
