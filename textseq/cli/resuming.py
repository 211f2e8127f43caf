"""`textseq train --resume`: a run that was cut off goes on where its last checkpoint was written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from textseq.cli.processes import in_step
from textseq.config import RunConfig
from textseq.data.shards import Shard
from textseq.files import explained
from textseq.rundir import RunDirectory


def go_on(
    run: RunDirectory,
    config: RunConfig,
    config_path: Path,
    shard: Shard,
    *,
    quiet: bool,
    report: bool,
    say: Callable[[str], None],
) -> dict[str, Any] | None:
    """Goes on with a run, or says that it is finished.

    Args:
        run: Its directory.
        config: What it is to be gone on with.
        config_path: Where that was read.
        shard: Which of how many processes this is; there may be more or fewer of them than before.
        quiet: Whether no progress is shown.
        report: Whether to make a report at the end.
        say: Takes lines for the user.

    Returns:
        Its scores; None where it has no checkpoint yet, and has to begin anew.

    Raises:
        TextseqError: It cannot be gone on with; says why.
    """
    import keras

    from textseq.cli.afterwards import leave_report
    from textseq.cli.progress import make_reporter
    from textseq.training.checkpoints.folder import Checkpoints
    from textseq.training.resuming import (
        check_config,
        check_identity,
        check_position,
        prepare_again,
        version_notes,
    )
    from textseq.training.trainer import build, train

    began = check_config(run, config)
    if run.scores.is_file() and _end(began) == _end(config):
        say(f"{run.path}: this run is finished; there is nothing to go on with.")
        scores: dict[str, Any] = run.read_json("scores.json")
        return scores
    run.refuse_if_read_only()
    checkpoint = Checkpoints(run).latest(say)
    if checkpoint is None:
        say(f"{run.path}: the run was cut off before its first checkpoint, and begins anew.")
        return None
    check_position(checkpoint, config, keras.backend.backend())
    for line in version_notes(run) + _changed_sources(run):
        say(f"Note: {line}")
    task, prepared = in_step(lambda: prepare_again(config, run, say), config, shard)
    ready = build(config, task, prepared, say)
    check_identity(checkpoint, ready.identity)
    _make_unfinished(run, config, config_path)
    say(f"Going on in epoch {checkpoint.about['epoch'] + 1} after step {checkpoint.about['step_of_epoch']:,}")
    scores = train(ready, run, make_reporter(quiet=quiet), say, checkpoint)
    if report:
        leave_report(run, ready, say)
    return scores


def _end(config: RunConfig) -> tuple[int, int | None]:
    """Returns what decides when a training ends."""
    return config.training.epochs, config.training.early_stopping


def _changed_sources(run: RunDirectory) -> list[str]:
    from textseq.provenance import check_provenance

    return check_provenance(run.read_json("plugins.json"), run.path) if run.plugins.is_file() else []


def _make_unfinished(run: RunDirectory, config: RunConfig, config_path: Path) -> None:
    """Writes what the run goes on with, and deletes what was made of its end."""
    with explained(run.path):
        run.clear_leftovers()
        for path in (run.scores, run.rows, run.samples, run.report):
            path.unlink(missing_ok=True)
    run.write_text("config.yaml", config_path.read_text(encoding="utf-8"))
    run.write_text("resolved.yaml", config.to_yaml())
