"""The batches of a workload: drawn from a fixed seed, so that every contender gets the same ones."""

from __future__ import annotations

import numpy as np

from benchmark.specification import Model
from textseq.data.batches import ClassificationBatches
from textseq.data.encoded import EncodedTexts
from textseq.data.windows import Windows

Batch = dict[str, np.ndarray]
CLASSES = 2
_FIRST_ID = 4  # after padding, unknown, start and end
_CYCLE = 8


def token_ids(count: int, vocabulary: int, seed: int = 0) -> np.ndarray:
    """Returns ids whose frequencies fall as words' do, the commonest with the lowest ids."""
    generator = np.random.default_rng(seed)
    chances = 1.0 / np.arange(2, vocabulary - _FIRST_ID + 2)
    return _FIRST_ID + generator.choice(vocabulary - _FIRST_ID, size=count, p=chances / chances.sum())


def rows_of_one_length(model: Model) -> np.ndarray:
    """Returns what a model is asked in a race of inference, int32. `(batch, time)`."""
    return token_ids(model.items, model.vocabulary).reshape(model.batch, model.time).astype(np.int32)


def texts(model: Model, cycle: int) -> EncodedTexts:
    """Returns the rows that the batches are made of."""
    if model.task != "classification" or model.lengths is None:
        count = model.batch * model.time * max(cycle, _CYCLE)
        return EncodedTexts.from_lists([token_ids(count, model.vocabulary)])
    lengths = np.load(model.lengths)
    ids = token_ids(int(lengths.sum()), model.vocabulary)
    return EncodedTexts.from_lists(np.split(ids, np.cumsum(lengths)[:-1]))


def targets(rows: EncodedTexts) -> np.ndarray:
    """Returns a class for each row. `(rows,)`."""
    return np.random.default_rng(1).integers(0, CLASSES, len(rows)).astype(np.int32)


def make_batches(model: Model, cycle: int) -> list[Batch]:
    """Returns the batches of one cycle, as the toolkit's samplers make them.

    Args:
        model: Task and sizes.
        cycle: How many, for classification: the first ones of a shuffled epoch, each with texts of like length.
    """
    rows = texts(model, cycle)
    if model.task == "classification":
        source = ClassificationBatches(rows, targets(rows), batch_size=model.batch, seed=0)
        return [batch for _, batch in zip(range(cycle), source.epoch(0), strict=False)]
    windows = Windows(rows, end_id=None, batch_size=model.batch, window=model.time)
    return list(windows.epoch(0))
