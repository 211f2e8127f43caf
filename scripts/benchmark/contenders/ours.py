"""textseq: the model, its optimizer and its compilation as `textseq train` makes them from a config."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from benchmark.batches import CLASSES, make_batches, targets, texts
from benchmark.contenders.keras_step import train_step
from benchmark.specification import Contender, Model
from textseq.config import Component, DataConfig, EmbeddingConfig, RunConfig, TrainingConfig
from textseq.data.labels import Labels
from textseq.registry import tasks
from textseq.tasks.base import EncodedSplit, Prepared
from textseq.training.trainer import build


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that does one training step."""
    config = make_config(contender, model)
    task = tasks.get(config.task.name)(**config.task.arguments)
    rows = texts(model, cycle)
    labelled = model.task == "classification"
    split = EncodedSplit("train", None, rows, targets=targets(rows) if labelled else None)
    tokenizer: Any = SimpleNamespace(vocabulary_size=model.vocabulary, samples=False)
    ready = build(config, task, Prepared(config, tokenizer, make_labels() if labelled else None, {"train": split}))
    return train_step(ready.model, [task.fit_arguments(batch) for batch in make_batches(model, cycle)])


def make_labels() -> Labels:
    """Returns the classes."""
    return Labels(tuple(str(number) for number in range(CLASSES)), multi=False, columns=("label",))


def make_config(contender: Contender, model: Model) -> RunConfig:
    """Returns the config that a user would have written for a model."""
    precision = "mixed_bfloat16" if contender.precision == "bfloat16" else "float32"
    more: dict[str, Any] = {"heads": model.heads} if model.encoder == "transformer" else {}
    if model.task in ("classification", "inference"):
        more |= {"causal": True} if model.causal else {}
        task = Component("classification", {"pooling": "mean"})
        training = TrainingConfig(batch_size=model.batch, learning_rate=1e-3, clip_norm=None, precision=precision)
    else:
        carry = model.encoder != "transformer"  # a cache of keys would be more work than the rivals do
        task = Component("language_modeling", {"window": model.time, "tied": False, "carry_state": carry})
        training = TrainingConfig(
            batch_size=model.batch,
            learning_rate=model.rate,
            optimizer=Component("sgd"),
            clip_norm=5.0,
            precision=precision,
        )
    return RunConfig(
        name="bench",
        data=DataConfig(path="text"),
        encoder=Component(model.encoder, {"units": model.units, "depth": model.depth, **more}),
        task=task,
        embedding=EmbeddingConfig(units=model.embedding),
        training=training,
    )
