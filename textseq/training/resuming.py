"""Going on with a run that was cut off: what must be as it was, what may differ, and what is made again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from textseq.config import RunConfig, load_config
from textseq.config.differences import differences
from textseq.data.labels import Labels
from textseq.data.sources import load_splits
from textseq.data.tokenizers.base import load_tokenizer
from textseq.errors import ConfigError, DataError, RunDirectoryError, problem
from textseq.registry import tasks
from textseq.rundir import RunDirectory
from textseq.tasks.base import Prepared, Task
from textseq.training.checkpoints.folder import Checkpoint
from textseq.training.environment import environment

# What may differ, since no number that training computes depends on it.
_FREE = {"name", *(f"training.{name}" for name in ("log_every", "early_stopping", "tensorboard", "memory_budget"))}
_FREE |= {f"training.{name}" for name in ("checkpoint_every", "checkpoint_minutes", "keep_checkpoints")}
_FREE |= {f"training.{name}" for name in ("setbacks", "setback_rate", "blow_up")}
# Where the rows lie; that they are the same rows is checked by what is in them.
_PLACES = ("data.path", "data.data_files", "data.revision")
_EPOCHS = "training.epochs"
_DECIDING = ("keras", "tensorflow", "jax", "numpy")
_ANEW = "or begin anew with --overwrite"


def check_config(run: RunDirectory, config: RunConfig) -> RunConfig:
    """Returns the config that a run began with.

    Args:
        run: Its directory.
        config: What it is to be gone on with.

    Raises:
        ConfigError: It differs in a setting that numbers depend on; lists them.
    """
    began = load_config(run.resolved)
    found = differences(began.to_dict(), config.to_dict())
    refused = {name: pair for name, pair in found.items() if not _may_differ(name, config)}
    if refused:
        lines = [f"  {name}: {then!r} when the run began, {now!r} now" for name, (then, now) in refused.items()]
        if _EPOCHS in refused:
            lines.append("  (the schedule spreads over all epochs, so that another number of them changes every step)")
        intro = f"--resume: {run.path} was begun with other settings, and would not be the same run:"
        raise ConfigError("\n".join([intro, *lines, f"Take these back, {_ANEW}."]))
    return began


def _may_differ(name: str, config: RunConfig) -> bool:
    if name == _EPOCHS:
        schedule = config.training.schedule
        warmup = schedule.arguments.get("warmup", 0)
        return schedule.name == "constant" and (warmup == 0 or warmup >= 1)
    moved = not config.data.streaming and any(name == place or name.startswith(f"{place}.") for place in _PLACES)
    return moved or name in _FREE


def check_position(checkpoint: Checkpoint, config: RunConfig, backend: str) -> None:
    """Looks whether a config can go on from a checkpoint.

    Args:
        checkpoint: Where to go on from.
        config: What it is to be gone on with.
        backend: Keras's, now.

    Raises:
        RunDirectoryError: More epochs are done than the config wants, or the backend is another.
    """
    done = checkpoint.about["epoch"] + (checkpoint.about["step_of_epoch"] > 0)
    if done > config.training.epochs:
        wrong = f"the run is in epoch {done} already"
        raise RunDirectoryError(problem(_EPOCHS, wrong, received=config.training.epochs, way_out=f"Ask for {done}"))
    if checkpoint.about["backend"] != backend:
        wrong = f"the run began under {checkpoint.about['backend']}, and only that computes the same numbers"
        way_out = f"Pass --backend {checkpoint.about['backend']}, {_ANEW}"
        raise RunDirectoryError(problem("--backend", wrong, received=backend, way_out=way_out))


def version_notes(run: RunDirectory) -> list[str]:
    """Returns a sentence for each package that is another than when the run began, and that numbers depend on."""
    if not run.environment.is_file():
        return []
    then, now = run.read_json("environment.json").get("packages", {}), environment()["packages"]
    return [
        f"{name} was {then[name]} when the run began and is {now.get(name)} now; numbers may differ in the last digits."
        for name in _DECIDING
        if name in then and then[name] != now.get(name)
    ]


def prepare_again(config: RunConfig, run: RunDirectory, say: Callable[[str], None]) -> tuple[Task, Prepared]:
    """Reads the dataset and tokenises it with the run's tokenizer.

    Raises:
        RunDirectoryError: The dataset no longer has the labels that the run learned.
    """
    say(f"Reading {config.data.path}")
    splits = load_splits(config.data, config.seed)
    tokenizer = load_tokenizer(run.tokenizer)
    task = tasks.get(config.task.name)(**config.task.arguments)
    labels = Labels.from_json(run.read_json("labels.json")) if task.labelled else None
    say(f"Tokenising with the run's {tokenizer.vocabulary_size:,} tokens")
    try:
        prepared = task.prepare(config, splits, tokenizer, labels=labels)
    except DataError as error:
        wrong = f"the dataset is not the one that the run began with ({error})"
        raise RunDirectoryError(problem("--resume", wrong, way_out=f"Bring it back, {_ANEW}")) from error
    return task, replace(prepared, audit=run.read_json("audit.json"))


def identity(prepared: Prepared, backend: str) -> dict[str, Any]:
    """Returns what must be the same when a run goes on, JSON-serialisable: the backend, and a hash of each split.

    Args:
        prepared: The dataset, tokenised. Of a streamed split, the first rows count.
        backend: Keras's.
    """
    fingerprints = {}
    for name, split in prepared.splits.items():
        parts = [split.texts.fingerprint()]
        if split.pair is not None:
            parts.append(split.pair.fingerprint())
        if split.targets is not None:
            parts.append(_hash(split.targets))
        fingerprints[name] = "-".join(parts)
    return {"backend": backend, "fingerprints": fingerprints}


def check_identity(checkpoint: Checkpoint, now: dict[str, Any]) -> None:
    """Looks whether the dataset is the one that a run began with.

    Args:
        checkpoint: Of the run.
        now: What `identity` returned.

    Raises:
        RunDirectoryError: It is another; says which splits.
    """
    then, found = checkpoint.about["fingerprints"], now["fingerprints"]
    changed = [name for name in sorted({*then, *found}) if then.get(name) != found.get(name)]
    if changed:
        wrong = f"the rows of {', '.join(changed)} are not those that the run began with"
        raise RunDirectoryError(problem("--resume", wrong, way_out=f"Bring the dataset back, {_ANEW}"))


def _hash(array: Any) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()[:32]
