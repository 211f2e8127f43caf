"""Weights on disk, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import keras

from textseq.errors import RunDirectoryError, problem
from textseq.files import replacing


def save_weights(model: keras.Model, path: Path) -> None:
    """Writes the model's weights beside `path` and renames them into place.

    Raises:
        RunFailedError: The disk is full, or the folder cannot be written.
    """
    with replacing(path) as beside:
        model.save_weights(beside)


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
