"""Training as one line: data → tokenizer → batches → model → fit → scores, each from its own module."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras

from textseq.config import RunConfig
from textseq.data.audit import audit
from textseq.data.sources import load_splits
from textseq.data.tokenizers.training import fit_tokenizer
from textseq.registry import tasks
from textseq.rundir import RunDirectory
from textseq.tasks.base import Prepared, Task
from textseq.training.callbacks import (
    DivergenceGuard,
    EarlyStopping,
    MetricsLog,
    Progress,
    Reporter,
    Validation,
    user_callbacks,
)
from textseq.training.checkpoints import load_weights
from textseq.training.feeding import Feed
from textseq.training.optimizers import build_optimizer

Say = Callable[[str], None]


def prepare(config: RunConfig, say: Say) -> tuple[Task, Prepared]:
    """Reads the dataset, fits the tokenizer on the train split and tokenises everything."""
    say(f"Reading {config.data.path}")
    splits = load_splits(config.data, config.seed)
    say(f"Fitting the {config.tokenizer.name} tokenizer on the train split")
    tokenizer = fit_tokenizer(config.tokenizer, splits.train, config.data, config.seed)
    task = tasks.get(config.task.name)(**config.task.arguments)
    say(f"Tokenising with {tokenizer.vocabulary_size:,} tokens")
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


def train(
    config: RunConfig, run: RunDirectory, task: Task, prepared: Prepared, reporter: Reporter, say: Say
) -> dict[str, Any]:
    """Trains a model and leaves its best weights and its scores in the run directory.

    Args:
        config: What to train.
        run: A fresh run directory, in which `record` wrote what was learned from the data.
        task: The task.
        prepared: The tokenised dataset.
        reporter: Shows progress.
        say: Takes lines for the user.

    Returns:
        The scores by split, as in `scores.json`.
    """
    seed_everything(config)
    model = task.build_model(config, prepared.tokenizer.vocabulary_size, prepared.labels)
    feed = Feed(task, task.training_batches(prepared), steps=config.training.steps_per_epoch)
    optimizer = build_optimizer(config.training, config.training.epochs * feed.steps_per_epoch)
    model.compile(optimizer, jit_compile=jit(config), **task.compile_arguments(prepared.labels))
    say(f"{config.encoder.name}: {model.count_params():,} weights; {feed.steps_per_epoch:,} steps an epoch")
    began = time.perf_counter()
    best = fit(model, config, run, task, prepared, feed, reporter)
    seconds = time.perf_counter() - began
    load_weights(model, run.weights)
    scores = {name: task.evaluate(model, prepared.splits[name], prepared) for name in _scored(prepared)}
    summary = {
        "seconds": round(seconds, 1),
        "best_epoch": best.best_epoch,
        "weights": int(model.count_params()),
        "tokens_per_second": round(feed.tokens / seconds, 1),
    }
    run.write_json("scores.json", {**scores, "training": summary})
    return {**scores, "training": summary}


def fit(
    model: keras.Model,
    config: RunConfig,
    run: RunDirectory,
    task: Task,
    prepared: Prepared,
    feed: Feed,
    reporter: Reporter,
) -> Validation:
    """Runs `keras.Model.fit` with the callbacks that the config asks for; returns what validation found."""
    training = config.training
    validation = Validation(task, prepared, run, training.monitor)
    callbacks: list[keras.callbacks.Callback] = [
        feed,
        DivergenceGuard(training.log_every),
        validation,
        MetricsLog(run, feed, training.log_every),
        Progress(reporter, feed, training.epochs),
        *([EarlyStopping(validation, training.early_stopping)] if training.early_stopping else []),
        *([keras.callbacks.TensorBoard(str(run.path / "tensorboard"))] if training.tensorboard else []),
        keras.callbacks.CSVLogger(str(run.path / "epochs.csv")),
        *user_callbacks(list(training.callbacks)),
    ]
    try:
        model.fit(feed.for_backend(), epochs=training.epochs, verbose=0, callbacks=callbacks, shuffle=False)
    finally:
        reporter.end()
    return validation


def seed_everything(config: RunConfig) -> None:
    """Seeds Python, NumPy and Keras, and sets the precision for the layers to come."""
    keras.utils.set_random_seed(config.seed)
    keras.config.set_dtype_policy(config.training.precision)


def jit(config: RunConfig) -> bool | str:
    """Returns what `compile` takes as `jit_compile`: on TensorFlow, "auto" means no (PERFORMANCE in the README)."""
    if config.training.jit == "auto":
        return keras.backend.backend() == "jax"
    return config.training.jit in (True, "true")


def _scored(prepared: Prepared) -> list[str]:
    return [name for name in ("validation", "test") if name in prepared.splits]
