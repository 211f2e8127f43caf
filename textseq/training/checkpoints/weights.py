"""Weights on disk, whole or not at all."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from textseq.errors import RunDirectoryError, problem
from textseq.files import replacing


def save_weights(model: keras.Model, path: Path) -> None:
    """Writes the model's weights beside `path` and renames them into place.

    Raises:
        RunFailedError: The disk is full, or the folder cannot be written.
    """
    with replacing(path) as beside, _nothing_said_by_hdf5():
        model.save_weights(beside)


@contextmanager
def _nothing_said_by_hdf5() -> Iterator[None]:
    """Silences what objects of a file that could not be written say when they are collected: a traceback for each."""
    hooks = sys.unraisablehook, sys.excepthook
    sys.unraisablehook, sys.excepthook = (lambda *said: None), (lambda *said: None)
    try:
        yield
    except OSError as error:
        held: BaseException | None = error
        while held is not None:  # frames hold the file's objects, which are to be collected here
            traceback.clear_frames(held.__traceback__)
            held = held.__context__
        gc.collect()
        raise
    finally:
        sys.unraisablehook, sys.excepthook = hooks


def load_weights(model: keras.Model, path: Path) -> None:
    """Reads weights into a model that was built from the same config.

    Raises:
        RunDirectoryError: The file is missing, cut short, or of another model.
    """
    if not path.is_file():
        raise RunDirectoryError(
            problem(
                str(path), "there are no weights", way_out="The run ended before its first epoch did; train it anew"
            )
        )
    try:
        model.load_weights(path)
    except (OSError, ValueError, KeyError) as error:
        first_line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RunDirectoryError(
            problem(str(path), f"the weights do not fit the config, or are damaged ({first_line})")
        ) from error
