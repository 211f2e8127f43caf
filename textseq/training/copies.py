"""What the first of several processes has on its disk, brought to the others, who need not share that disk."""

from __future__ import annotations

from pathlib import Path

from textseq.data.shards import Shard
from textseq.files import explained
from textseq.rundir import RunDirectory
from textseq.training.processes import bytes_of_first, told_by_first


def bring_run(run: RunDirectory, shard: Shard) -> None:
    """Makes the others' run directories hold what the first one's does, as far as going on with a run needs it.

    Args:
        run: This process's own.
        shard: Which process this is.

    Raises:
        RunFailedError: A disk is full or fails.
    """
    for name in told_by_first(_needed(run)):
        path = run.path / name
        with explained(path):
            data = bytes_of_first(path.read_bytes() if shard.index == 0 else b"")
            if shard.index > 0:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


def _needed(run: RunDirectory) -> list[str]:
    """Returns the files of a run but for what is made of its end, and what other programs read."""
    left = {run.path / "tensorboard", run.rows, run.samples, run.report}
    there: list[Path] = sorted(run.path.rglob("*"))
    kept = [path for path in there if path.is_file() and not left & {path, *path.parents}]
    return [path.relative_to(run.path).as_posix() for path in kept]
