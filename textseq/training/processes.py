"""Several processes that train one model under JAX: how they meet, what they tell one another, and how they part."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from textseq.data.shards import Shard
from textseq.errors import RunFailedError, TextseqError, UsageError, problem
from textseq.training.aborting import abort_says, leave_at_once

_SECONDS_TO_MEET = 300
_SECONDS_OF_SILENCE = 60  # after which a process counts as lost, where its connection did not break before
_SECONDS_TO_PART = 60
_PIECE = 2**26  # bytes that are sent at once
_LOST = re.compile(r"gloo|nccl|coordination|heartbeat|connection|UNAVAILABLE|DEADLINE_EXCEEDED", re.IGNORECASE)


@dataclass(frozen=True)
class Wanted:
    """What the command line says of the processes; None where the cluster is to say it.

    Attributes:
        coordinator: Address of the first process, as host:port.
        count: Processes in all.
        index: Which of them this is, counted from 0.
    """

    coordinator: str | None = None
    count: int | None = None
    index: int | None = None


class RowsApart(keras.distribution.DataParallel):
    """Keras's data parallelism, but what a language model carries from window to window lies where its rows lie."""

    def get_variable_layout(self, variable: Any) -> Any:
        """Splits carried state by rows; everything else is the same everywhere."""
        if str(variable.name).startswith("carried_") and len(variable.shape):
            return self.get_data_layout(variable.shape)
        return super().get_variable_layout(variable)


@contextmanager
def together(wanted: Wanted) -> Iterator[Shard]:
    """Meets the other processes, and parts from them when the block is over.

    A process that fails ends at once and waits for nobody; the others end as soon as they miss it.

    Args:
        wanted: What is known; the rest is asked of Slurm, Open MPI or Kubernetes, where one of them started this.

    Yields:
        Which of how many processes this is.

    Raises:
        UsageError: There is no cluster to ask.
        RunFailedError: The others did not come, or one of them was lost.
    """
    import jax

    runtime: Any = jax.distributed
    try:
        with _silent_stdout():
            shard = _meet(wanted)
        with _losses_explained(shard):
            yield shard
            wait("the end")
    except BaseException as error:
        leave_at_once(_exit_code(error))
        raise
    runtime.shutdown()


def _exit_code(error: BaseException) -> int:
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT  # as shells count
    return error.exit_code if isinstance(error, TextseqError) else 1


def _meet(wanted: Wanted) -> Shard:
    import jax

    settings: Any = jax.config
    settings.update("jax_cpu_collectives_implementation", "gloo")
    settings.update("jax_enable_preemption_service", False)  # it would take SIGTERM away, and nobody would end
    abort_says(_lost("one of the processes"))
    try:
        jax.distributed.initialize(
            coordinator_address=wanted.coordinator,
            num_processes=wanted.count,
            process_id=wanted.index,
            initialization_timeout=_SECONDS_TO_MEET,
            heartbeat_timeout_seconds=_SECONDS_OF_SILENCE,
            shutdown_timeout_seconds=_SECONDS_TO_PART,
        )
    except ValueError as error:
        raise UsageError(_nobody_to_ask(wanted, error)) from error
    except RuntimeError as error:
        wrong = f"the processes did not meet within {_SECONDS_TO_MEET} s ({_first_line(error)})"
        raise RunFailedError(problem("--distributed", wrong, received=wanted.coordinator)) from error
    keras.distribution.set_distribution(RowsApart(auto_shard_dataset=False))
    wait("the beginning")
    return Shard(jax.process_index(), jax.process_count(), _largest)


def require_devices(batch_size: int) -> None:
    """Sees to it that a batch can be split over the devices of all processes.

    Args:
        batch_size: Rows of a batch of all processes together.

    Raises:
        UsageError: It cannot.
    """
    import jax

    devices = jax.device_count()
    if batch_size % devices:
        way_out = f"Take a multiple of {devices}"
        wrong = f"must be divisible by the {devices} devices of the {jax.process_count()} processes"
        raise UsageError(problem("training.batch_size", wrong, received=batch_size, way_out=way_out))


def wait(place: str) -> None:
    """Waits until all processes are here.

    Args:
        place: A name, by which a process that is elsewhere is noticed.
    """
    from jax.experimental import multihost_utils

    multihost_utils.sync_global_devices(place)


def _largest(numbers: np.ndarray) -> np.ndarray:
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(numbers)).reshape(-1, len(numbers)).max(0)


@contextmanager
def first_before_others(shard: Shard) -> Iterator[None]:
    """Lets the first process do what the block says, then all others, who find in the cache what it left there."""
    if shard.count > 1 and shard.index > 0:
        wait("the first is done")
    yield
    if shard.count > 1 and shard.index == 0:
        wait("the first is done")


def told_by_first(value: Any) -> Any:
    """Returns in every process what the first one passes; JSON-serialisable."""
    return json.loads(bytes_of_first(json.dumps(value).encode()))


def bytes_of_first(data: bytes) -> bytes:
    """Returns in every process the bytes that the first one passes."""
    size = int(_broadcast(np.frombuffer(b"%020d" % len(data), np.uint8)).tobytes())
    mine = np.resize(np.frombuffer(data, np.uint8), size)  # what others than the first pass counts for nothing
    return b"".join(_broadcast(mine[begin : begin + _PIECE]).tobytes() for begin in range(0, size, _PIECE))


def _broadcast(array: np.ndarray) -> np.ndarray:
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.broadcast_one_to_all(array))


def require_same(what: str, text: str, shard: Shard) -> None:
    """Sees to it that all processes have the same.

    Args:
        what: Named in the error.
        text: What must be equal.
        shard: Which process this is.

    Raises:
        UsageError: This process has something else than the first.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    if told_by_first(digest) != digest:
        wrong = f"process {shard.index} has another {what} than process 0"
        raise UsageError(problem("--distributed", wrong, way_out="Start all with the same files and arguments"))


@contextmanager
def _losses_explained(shard: Shard) -> Iterator[None]:
    try:
        yield
    except TextseqError:
        raise
    except (ValueError, RuntimeError) as error:
        if not _LOST.search(str(error)):
            raise
        raise RunFailedError(_lost(f"process {shard.index} of {shard.count}", error)) from error


def _lost(who: str, error: Exception | None = None) -> str:
    reason = f" ({_first_line(error)})" if error else ""
    wrong = f"{who} misses another, which ended, hangs or cannot be reached{reason}; all stop"
    return problem("--distributed", wrong, way_out="What went wrong stands in that one's output")


def _nobody_to_ask(wanted: Wanted, error: Exception) -> str:
    known = {"--coordinator": wanted.coordinator, "--processes": wanted.count, "--process": wanted.index}
    missing = [name for name, value in known.items() if value is None]
    if not missing:
        return problem("--distributed", _first_line(error))
    way_out = f"Start it with srun, mpirun or as a Kubernetes Job, or give {', '.join(missing)}"
    return problem("--distributed", "JAX finds no cluster that says who takes part", way_out=way_out)


def _first_line(error: Exception) -> str:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return said.replace("Error dispatching computation: ", "")[:300].rstrip(".")  # JAX says that once a step under way


@contextmanager
def _silent_stdout() -> Iterator[None]:
    """Holds back what the collectives' library says on stdout, which is for our own output alone."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
