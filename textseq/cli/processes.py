"""The options of a training by several processes, and what a process may do that is not the first."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from textseq.errors import UsageError, problem

if TYPE_CHECKING:
    from textseq.config import RunConfig
    from textseq.data.shards import Shard
    from textseq.rundir import RunDirectory
    from textseq.tasks.base import Prepared, Task

_Command = TypeVar("_Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option("--distributed", is_flag=True, help="Train with other processes, under JAX; each is started alike."),
    click.option("--coordinator", metavar="HOST:PORT", help="Where process 0 is. Default: asked of the cluster."),
    click.option("--processes", type=click.IntRange(min=1), help="How many there are. Default: asked of the cluster."),
    click.option("--process", type=click.IntRange(min=0), help="Which this is, from 0. Default: asked of the cluster."),
)


def distributed_options(command: _Command) -> _Command:
    """Adds the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class Processes:
    """What the command line says of the processes, checked before anything heavy is imported.

    Args:
        distributed: Whether there are several.
        coordinator: Address of the first.
        processes: How many.
        process: Which this is.

    Raises:
        UsageError: The options do not fit together.
    """

    def __init__(self, distributed: bool, coordinator: str | None, processes: int | None, process: int | None) -> None:
        self.distributed, self.coordinator, self.count, self.index = distributed, coordinator, processes, process
        given = {"--coordinator": coordinator, "--processes": processes, "--process": process}
        for option, value in given.items():
            if value is not None and not distributed:
                raise UsageError(problem(option, "says nothing without --distributed", received=value))
        if coordinator is not None and not coordinator.rpartition(":")[2].isdecimal():
            raise UsageError(problem("--coordinator", "must be host:port", received=coordinator))
        if processes is not None and process is not None and process >= processes:
            wrong = f"must be below --processes, {processes}, for the first is 0"
            raise UsageError(problem("--process", wrong, received=process))

    def backend(self, named: str | None) -> str | None:
        """Returns Keras's backend: JAX where several processes train.

        Args:
            named: By the user, on the command line.

        Raises:
            UsageError: The user wants another.
        """
        wanted = named or os.environ.get("KERAS_BACKEND")
        if self.distributed and wanted not in (None, "jax"):
            raise UsageError(
                problem("--distributed", "needs JAX", received=wanted, way_out="Pass --backend jax, or no --backend")
            )
        return "jax" if self.distributed else named

    @contextmanager
    def together(self, config: RunConfig, run_dir: Path) -> Iterator[tuple[Shard, Path]]:
        """Meets the other processes, where there are any.

        Args:
            config: Must be the same in all of them.
            run_dir: The run's own directory, which is the first process's to write.

        Yields:
            Which of how many processes this is, and its directory: in all but the first, one that goes afterwards.

        Raises:
            UsageError: The processes have different configs.
        """
        from textseq.data.shards import WHOLE

        if not self.distributed:
            yield WHOLE, run_dir
            return
        from textseq.training.processes import Wanted, require_same, together

        with together(Wanted(self.coordinator, self.count, self.index)) as shard:
            require_same("config", config.to_yaml(), shard)
            if shard.index == 0:
                yield shard, run_dir
                return
            with tempfile.TemporaryDirectory(prefix="textseq-") as aside:
                yield shard, Path(aside)


def with_batch_size(
    config: RunConfig,
    say: Callable[[str], None],
    shard: Shard,
    plugins: Sequence[str],
    begun: RunDirectory | None = None,
) -> RunConfig:
    """Returns the config with a number of rows that all processes can share; the first finds it where it is `auto`.

    Args:
        config: The run's.
        say: Takes lines for the user.
        shard: Which of how many processes this is.
        plugins: Files that the user named.
        begun: A run that is gone on with, whose number stays.

    Raises:
        UsageError: No batch fits, or the processes cannot share the one that the config names.
    """
    from textseq.config import load_config
    from textseq.training.batch_size import resolved

    if begun is not None and config.training.batch_size == "auto":
        rows = load_config(begun.resolved).training.batch_size
        config = replace(config, training=replace(config.training, batch_size=rows))
    if shard.count == 1:
        return resolved(config, say, plugins=plugins)
    from textseq.training.processes import require_devices, told_by_first

    found = resolved(config, say, plugins=plugins, processes=shard.count) if shard.index == 0 else config
    rows = told_by_first(found.training.batch_size)
    require_devices(rows)
    return replace(config, training=replace(config.training, batch_size=rows))


def in_step(prepare: Callable[[], tuple[Task, Prepared]], config: RunConfig, shard: Shard) -> tuple[Task, Prepared]:
    """Reads and tokenises the dataset; of several processes the first does so before the others, who share its cache.

    Args:
        prepare: Does that in one process.
        config: The run's.
        shard: Which of how many processes this is.
    """
    if shard.count == 1:
        return prepare()
    from textseq.training.processes import first_before_others, require_same
    from textseq.training.shared_task import shared

    with first_before_others(shard):
        task, prepared = prepare()
    require_same("tokenizer", prepared.tokenizer.fingerprint, shard)
    require_same("dataset", str({name: len(split.texts) for name, split in prepared.splits.items()}), shard)
    return shared(task, shard, config.training.rows), replace(prepared, shard=shard)


def begun_before(run: RunDirectory, shard: Shard) -> bool:
    """Whether there is a run to go on with; each of several processes then has what the first one has of it.

    Args:
        run: This process's own directory.
        shard: Which of how many processes this is.
    """
    if shard.count > 1:
        from textseq.training.copies import bring_run

        bring_run(run, shard)
    return run.resolved.is_file()
