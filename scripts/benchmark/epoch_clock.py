"""A Keras callback that writes down when each epoch begins and ends."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import keras


class EpochClock(keras.callbacks.Callback):
    """Appends a line of JSON for each event; put last, an epoch's end comes after its validation.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the begin."""
        self._note("begin")

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes the end."""
        self._note("end")

    def _note(self, event: str) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"event": event, "time": time.time()}) + "\n")
