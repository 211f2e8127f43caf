"""How fast texts become batches, and how long training waits for them."""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmark.figures import Figure, Figures
from benchmark.sentences import sentences, small_config

if TYPE_CHECKING:
    from textseq.data.encoded import EncodedTexts


def tokenize(quick: bool) -> Figures:
    """Megabytes a second from a text column to token ids in Arrow, on one core."""
    from datasets import Dataset

    from textseq.data.encoded import encode_column
    from textseq.registry import tokenizers

    texts = sentences(20_000 if quick else 200_000)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    dataset = Dataset.from_dict({"text": texts})
    figures: Figures = {}
    choices = {"unigram": ("sentencepiece", {"model": "unigram"}), "bpe": ("sentencepiece", {"model": "bpe"})}
    for name, (kind, arguments) in {**choices, "bytes": ("bytes", {}), "words": ("words", {})}.items():
        tokenizer = tokenizers.get(kind)(**arguments)
        tokenizer.fit(texts[:20_000], 0)
        began = time.perf_counter()
        encode_column(dataset, "text", tokenizer)
        speed = megabytes / (time.perf_counter() - began)
        figures[name] = Figure(speed, "MB/s", at_least=10.0 if name == "unigram" else None)
    return figures


def feed(quick: bool) -> Figures:
    """Tokens a second that the batcher makes, and the share of a training step spent waiting for them."""
    from textseq.data.encoded import EncodedTexts

    generator = np.random.default_rng(0)
    lengths = generator.integers(5, 60, 5_000 if quick else 50_000)
    ids = generator.integers(4, 8000, int(lengths.sum())).astype(np.uint16)
    rows = EncodedTexts.from_lists(np.split(ids, np.cumsum(lengths)[:-1]))
    seconds, batches = epoch_seconds(rows)
    return {
        "batches": Figure(int(lengths.sum()) / seconds, "tokens/s"),
        "one batch": Figure(seconds / batches * 1e3, "ms"),
        **_waiting(quick),
    }


def epoch_seconds(rows: EncodedTexts) -> tuple[float, int]:
    """Makes one epoch's batches of 64 rows; returns the seconds and how many there were."""
    from textseq.data.batches import ClassificationBatches

    batches = ClassificationBatches(rows, np.zeros(len(rows), np.int32), batch_size=64, seed=0)
    began = time.perf_counter()
    count = sum(1 for _ in batches.epoch(0))
    return time.perf_counter() - began, count


def _waiting(quick: bool) -> Figures:
    """Trains a small classifier for an epoch and adds up how long its steps wait for their batches.

    As in `keras.Model.fit`, a step asks for its batch inside the graph, and the epoch's first one begins with nothing
    made beforehand. The clock stands around that question alone; with batches that are all in memory it tells what
    asking costs.
    """
    from textseq.config import load_config
    from textseq.training.trainer import build, prepare

    with tempfile.TemporaryDirectory() as folder:
        config = load_config(small_config(Path(folder), rows=3_000 if quick else 12_000))
        task, prepared = prepare(config, lambda line: None)
        ready = build(config, task, prepared)
        held = ready.feed.for_backend().cache()
        step = _timed_step(ready.model)
        _epoch(step, held)  # compiles, and fills the memory
        asking, _ = _epoch(step, held)
        ready.feed.on_epoch_begin(1)
        waiting, whole = _epoch(step, ready.feed.for_backend())
    return {
        "asking for a batch that is in memory": Figure(statistics.median(asking) * 1e3, "ms"),
        "longest wait": Figure(max(waiting) * 1e3, "ms"),
        "share of training spent waiting": Figure(100 * sum(waiting) / whole, "%", at_most=2.0),
    }


def _timed_step(model: Any) -> Any:
    """Returns a step that trains on an iterator's next batch, and returns the seconds that it waited for it."""
    import keras
    import tensorflow as tf

    @tf.function(reduce_retracing=True)
    def step(batches: Any) -> Any:
        before = tf.timestamp()
        with tf.control_dependencies([before]):
            batch = next(batches)
        with tf.control_dependencies(keras.tree.flatten(batch)):
            after = tf.timestamp()
        with tf.control_dependencies([after]):
            logs = model.train_step(batch)
        return after - before, logs

    return step


def _epoch(step: Any, dataset: Any) -> tuple[list[float], float]:
    """Trains on all batches of a dataset; returns the seconds that each step waited, and those of the whole."""
    waited = []
    began = time.perf_counter()
    batches = iter(dataset)
    while (seconds := _taken(step, batches)) is not None:
        waited.append(seconds)
    return waited, time.perf_counter() - began


def _taken(step: Any, batches: Any) -> float | None:
    """Takes a step; returns the seconds that it waited, or None where the batches are at an end."""
    import tensorflow as tf

    try:
        return float(step(batches)[0])
    except tf.errors.OutOfRangeError:
        return None


def main(workload: str, size: str, answer: str) -> None:
    """Writes one workload's figures into a file."""
    figures = {"tokenize": tokenize, "input": feed}[workload](size == "quick")
    Path(answer).write_text(json.dumps({name: asdict(figure) for name, figure in figures.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
