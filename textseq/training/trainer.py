"""Training as one line: data → tokenizer → batches → model → fit → scores, each from its own module."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras

from textseq.config import RunConfig
from textseq.data.audit import audit
from textseq.data.sources import load_splits
from textseq.data.tokenizers.training import fit_tokenizer
from textseq.errors import UsageError, problem
from textseq.registry import tasks
from textseq.rundir import RunDirectory
from textseq.tasks.base import Prepared, Task
from textseq.training.callbacks import monitored, user_callbacks
from textseq.training.checkpoints.folder import Checkpoint
from textseq.training.checkpoints.weights import load_weights
from textseq.training.compiling import Compiling, choose, recurrence_line, take_native_loops, take_native_norm
from textseq.training.faults import with_a_way_on
from textseq.training.feeding import Feed
from textseq.training.fitting import Fitting
from textseq.training.logs import Reporter
from textseq.training.memory import keep_freed_memory
from textseq.training.optimizers import build_optimizer
from textseq.training.processor import share_cores, use_wide_vectors
from textseq.training.resuming import identity

Say = Callable[[str], None]


def prepare(config: RunConfig, say: Say) -> tuple[Task, Prepared]:
    """Reads the dataset, fits the tokenizer on the train split and tokenises everything."""
    say(f"Reading {config.data.path}")
    splits = load_splits(config.data, config.seed)
    say(f"Fitting the {config.tokenizer.name} tokenizer on the train split")
    tokenizer = fit_tokenizer(config.tokenizer, splits.train, config.data, config.seed)
    task = tasks.get(config.task.name)(**config.task.arguments)
    wanted = config.tokenizer.arguments.get("vocabulary_size")
    fewer = (
        f" ({wanted:,} were asked for; the text has no more)" if wanted and wanted > tokenizer.vocabulary_size else ""
    )
    say(f"Tokenising with {tokenizer.vocabulary_size:,} tokens{fewer}")
    prepared = task.prepare(config, splits, tokenizer)
    lengths = {name: split.texts.lengths for name, split in prepared.splits.items()}
    return task, Prepared(
        config, tokenizer, prepared.labels, prepared.splits, audit(splits, config.data, prepared.labels, lengths)
    )


def record(run: RunDirectory, prepared: Prepared) -> None:
    """Writes into the run directory what a later command needs to make the model again."""
    prepared.tokenizer.save(run.tokenizer)
    if prepared.labels is not None:
        run.write_json("labels.json", prepared.labels.to_json())
    run.write_json("audit.json", dict(prepared.audit))


@dataclass(frozen=True)
class Ready:
    """All that training needs, made before anything is written, so that what is wrong shows before."""

    config: RunConfig
    task: Task
    prepared: Prepared
    model: keras.Model
    feed: Feed
    compiling: Compiling
    loops: str | None  # what the log says of recurrent loops
    callbacks: list[keras.callbacks.Callback]

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What must be the same when the training is gone on with."""
        return identity(self.prepared, keras.backend.backend())


def build(config: RunConfig, task: Task, prepared: Prepared, say: Say | None = None) -> Ready:
    """Makes the model, its optimizer and the callbacks that the config names.

    Raises:
        UsageError: The encoder refuses its arguments, a callback cannot be made, there is no score to monitor, or the
            loops that the config demands cannot be compiled.
    """
    _require_tensorboard(config)
    keep_freed_memory(keras.backend.backend())
    use_wide_vectors()
    share_cores(config, causal=task.causal)
    seed_everything(config)
    model = task.build_model(config, prepared.tokenizer.vocabulary_size, prepared.labels)
    feed = Feed(task, task.training_batches(prepared), steps=config.training.steps_per_epoch)
    task.begin(model, prepared)
    optimizer = build_optimizer(config.training, config.training.epochs * feed.steps_per_epoch)
    compiling = choose(config, model, fixed_shapes=getattr(feed.batches, "fixed_shape", False))
    loops = take_native_loops(config, model, say, jit=compiling.jit)
    take_native_norm(optimizer, model)
    model.compile(optimizer, jit_compile=compiling.jit, **task.compile_arguments(prepared.labels))
    if config.training.monitor is not None:
        scores = task.evaluate(model, prepared.splits["validation"].head(), prepared)
        monitored(scores, config.training.monitor)
    return Ready(config, task, prepared, model, feed, compiling, loops, user_callbacks(list(config.training.callbacks)))


def train(
    ready: Ready, run: RunDirectory, reporter: Reporter, say: Say, checkpoint: Checkpoint | None = None
) -> dict[str, Any]:
    """Trains a model and leaves its best weights and its scores in the run directory.

    Args:
        ready: What `build` returned.
        run: A run directory, in which `record` wrote what was learned from the data.
        reporter: Shows progress.
        say: Takes lines for the user.
        checkpoint: Where to go on from; None to begin.

    Returns:
        The scores by split, as in `scores.json`.

    Raises:
        DivergedError: The training diverges.
        RunFailedError: Memory or the disk is at its end, or the disk fails; the run can be gone on with.
        StoppedError: A signal asked for an end.
    """
    model, feed = ready.model, ready.feed
    say(f"{ready.config.encoder.name}: {model.count_params():,} weights; {feed.steps_per_epoch:,} steps an epoch")
    say(str(ready.compiling))
    for line in filter(None, (ready.loops, recurrence_line(model))):
        say(line)
    fitting = Fitting(ready, run, reporter, say, ready.identity)
    with with_a_way_on(ready.config, fitting.checkpoints):
        fitting(checkpoint)
        return _finish(ready, run, fitting)


def _finish(ready: Ready, run: RunDirectory, fitting: Fitting) -> dict[str, Any]:
    """Scores the best weights, and writes what makes a run a finished one."""
    model, feed = ready.model, ready.feed
    best, seconds = fitting.validation, fitting.clock.seconds()
    load_weights(model, run.weights)
    splits = ready.prepared.splits
    scored = [name for name in ("validation", "test") if name in splits]
    scores = {name: ready.task.evaluate(model, splits[name], ready.prepared) for name in scored[:-1]}
    scores[scored[-1]], rows = ready.task.evaluate_rows(model, splits[scored[-1]], ready.prepared)
    if rows is not None:
        rows.save(run.rows)
    summary = {
        "seconds": round(seconds, 1),
        "best_epoch": best.best_epoch,
        "kept_epoch": best.kept_epoch,
        "weights": int(model.count_params()),
        "tokens_per_second": round(feed.tokens / seconds, 1),
    }
    fitting.checkpoints.thin_out_to_last()
    run.write_json("scores.json", {**scores, "training": summary})
    return {**scores, "training": summary}


def seed_everything(config: RunConfig) -> None:
    """Seeds Python, NumPy and Keras, and sets the precision for the layers to come."""
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.training.precision)


def _require_tensorboard(config: RunConfig) -> None:
    missing = [name for name in ("tensorboard", "tensorflow") if importlib.util.find_spec(name) is None]
    if config.training.tensorboard and missing:
        wrong = f"needs the package {missing[0]}, which is not installed"
        raise UsageError(problem("training.tensorboard", wrong, way_out="pip install 'textseq[tensorboard]'"))
