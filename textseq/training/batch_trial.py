"""A process that trains on batches of growing size and says, line by line, what memory each took.

Its own, so that what does not fit kills nothing else, and so that what it took is not left in the run's process.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from textseq.errors import TextseqError, is_out_of_memory
from textseq.training.memory import peak_bytes

_BATCHES_LOOKED_AT = 1000  # for the largest
_STEPS = 2  # the first makes the optimizer's variables
_SECONDS_BETWEEN_LOOKS = 0.01


def main() -> None:
    """Answers on what was stdout; whatever libraries print there goes to stderr."""
    answers = os.dup(1)
    os.dup2(2, 1)
    asked = json.loads(sys.argv[2])
    threading.Thread(target=_watch, args=(asked["budget"], answers), daemon=True).start()
    try:
        _try_all(Path(sys.argv[1]), asked["rows"], asked["plugins"], answers)
    except TextseqError as error:
        _say(answers, {"refused": str(error)})
    except Exception as error:  # each backend has its own for memory that is at its end
        if not is_out_of_memory(error):
            raise
        _say(answers, {"over": peak_bytes()})


def _try_all(path: Path, sizes: list[int], plugins: list[str], answers: int) -> None:
    from textseq.config import load_config
    from textseq.plugins import load_plugin
    from textseq.training.trainer import prepare

    for plugin in plugins:
        load_plugin(plugin)
    config = load_config(path)
    task, prepared = prepare(config, lambda line: None)
    for rows in sizes:
        sized = replace(config, training=replace(config.training, batch_size=rows))
        if not _steps(sized, task, replace(prepared, config=sized)):
            return
        _say(answers, {"rows": rows, "bytes": peak_bytes()})


def _steps(config: Any, task: Any, prepared: Any) -> bool:
    """Trains on the largest batch of an epoch; false where an epoch would be no more than one batch."""
    import keras

    from textseq.training.trainer import build

    ready = build(config, task, prepared)
    if ready.feed.steps_per_epoch < 2 and config.training.batch_size > 1:
        return False
    batches = islice(ready.feed.batches.epoch(0), _BATCHES_LOOKED_AT)
    inputs, targets, weights = task.fit_arguments(max(batches, key=lambda batch: batch["token_ids"].size))
    for _ in range(_STEPS):
        ready.model.train_on_batch(inputs, targets, weights)
    del ready
    keras.utils.clear_session()
    gc.collect()
    return True


def _watch(budget: int, answers: int) -> None:
    """Ends the process as soon as it takes more than the budget."""
    while (taken := peak_bytes()) <= budget:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    _say(answers, {"over": taken})
    os._exit(0)


def _say(answers: int, message: dict[str, Any]) -> None:
    os.write(answers, f"{json.dumps(message)}\n".encode())


if __name__ == "__main__":
    main()
