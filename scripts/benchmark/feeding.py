"""How fast texts become batches, and how long training waits for them."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

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
    """Trains a small classifier, step by step, and adds up how long each step waits for its batch."""
    from textseq.config import load_config
    from textseq.training.trainer import build, prepare

    with tempfile.TemporaryDirectory() as folder:
        config = load_config(small_config(Path(folder), rows=3_000 if quick else 12_000))
        task, prepared = prepare(config, lambda line: None)
        ready = build(config, task, prepared)
        waiting = working = 0.0
        for epoch in range(2):  # the first one compiles
            waiting = working = 0.0
            batches = iter(ready.feed.for_backend())
            began = time.perf_counter()
            while (batch := next(batches, None)) is not None:
                got = time.perf_counter()
                ready.model.train_on_batch(*batch)
                done = time.perf_counter()
                waiting, working, began = waiting + got - began, working + done - got, done
            ready.feed.on_epoch_begin(epoch + 1)
    share = 100 * waiting / (waiting + working)
    return {"share of training spent waiting": Figure(share, "%", at_most=2.0)}
