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
    """Trains a small classifier, step by step, and adds up how long each step waits for its batch.

    Handing over a batch costs something even where it lies ready; what that takes, with batches that are all in memory,
    is no waiting.
    """
    from textseq.config import load_config
    from textseq.training.trainer import build, prepare

    with tempfile.TemporaryDirectory() as folder:
        config = load_config(small_config(Path(folder), rows=3_000 if quick else 12_000))
        task, prepared = prepare(config, lambda line: None)
        ready = build(config, task, prepared)
        held = ready.feed.for_backend().cache()
        _epoch(ready.model, held)  # compiles, and fills the memory
        handing, _ = _epoch(ready.model, held)
        ready.feed.on_epoch_begin(1)
        got, working = _epoch(ready.model, ready.feed.for_backend())
    usual = statistics.median(handing)
    waiting = sum(max(seconds - usual, 0.0) for seconds in got)
    return {
        "handing over a batch that lies ready": Figure(usual * 1e3, "ms"),
        "share of training spent waiting": Figure(100 * waiting / (sum(got) + sum(working)), "%", at_most=2.0),
    }


def _epoch(model: Any, dataset: Any) -> tuple[list[float], list[float]]:
    """Trains on all batches of a dataset; returns the seconds of getting each and of working on it."""
    batches, got, working = iter(dataset), [], []
    began = time.perf_counter()
    while (batch := next(batches, None)) is not None:
        received = time.perf_counter()
        model.train_on_batch(*batch)
        done = time.perf_counter()
        got.append(received - began)
        working.append(done - received)
        began = done
    return got, working


def main(workload: str, size: str, answer: str) -> None:
    """Writes one workload's figures into a file."""
    figures = {"tokenize": tokenize, "input": feed}[workload](size == "quick")
    Path(answer).write_text(json.dumps({name: asdict(figure) for name, figure in figures.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
