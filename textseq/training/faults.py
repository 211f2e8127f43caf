"""What a machine does to a training: disk or memory comes to an end. Each becomes a sentence with the way on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from textseq.config import RunConfig
from textseq.errors import RunFailedError, is_out_of_memory, problem
from textseq.files import DiskError, ForbiddenError
from textseq.training.checkpoints.folder import Checkpoints


@contextmanager
def with_a_way_on(config: RunConfig, checkpoints: Checkpoints) -> Iterator[None]:
    """Lets a training that the machine failed end with a sentence that says how to go on.

    Args:
        config: The run's.
        checkpoints: Its; they are whole, whatever happened.

    Raises:
        RunFailedError: A file cannot be written, or memory is at its end.
    """
    try:
        yield
    except (DiskError, ForbiddenError) as error:
        raise RunFailedError(f"{error} {_way_on(checkpoints, 'that is mended')}.") from error
    except Exception as error:  # each library has its own for memory that is at its end
        if not is_out_of_memory(error):
            raise
        raise RunFailedError(_too_large(config, checkpoints)) from error


def _way_on(checkpoints: Checkpoints, condition: str) -> str:
    there = "The last checkpoint is whole" if checkpoints.steps() else "There is no checkpoint yet"
    return f"{there}: when {condition}, go on with --resume"


def _too_large(config: RunConfig, checkpoints: Checkpoints) -> str:
    anew = "Or begin anew with a smaller batch and as much more training.accumulate, or with training.batch_size: auto"
    way_out = f"{_way_on(checkpoints, 'more memory is free')}. {anew}, or a smaller task.max_length or task.window"
    return problem("training.batch_size", "memory is at its end", received=config.training.rows, way_out=way_out)
