"""A Keras callback that writes down when the first step ended and what each checkpoint took, and can end a training."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import keras

from benchmark.checkpointing import STOP_AT
from textseq.training.saving import Saving


class StepClock(keras.callbacks.Callback):
    """Appends a line of JSON for each event.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = Path(path)
        # Neither is a plain number, for those a checkpoint would put back.
        self._stop_at = os.environ.get(STOP_AT, "0")
        self._steps = itertools.count(1)
        self._time_checkpoints()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Notes the first step, and asks for an end after so many."""
        done = next(self._steps)
        if done == 1:
            self._note("first step")
        if str(done) == self._stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_train_end(self, logs: Any = None) -> None:
        """Notes the end."""
        self._note("end")

    def _time_checkpoints(self) -> None:
        save = Saving.save

        def timed(saving: Saving, *arguments: Any, **more: Any) -> None:
            began = time.time()
            save(saving, *arguments, **more)
            self._note("checkpoint", seconds=time.time() - began)

        Saving.save = timed  # type: ignore[method-assign, assignment]

    def _note(self, event: str, **more: float) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"event": event, "time": time.time(), **more}) + "\n")
