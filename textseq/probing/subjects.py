"""What a gradient probe is done to: encoders with fresh weights, and those of a run before and after its training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from textseq.data.encoded import EncodedTexts
from textseq.errors import DataError, problem
from textseq.evaluation.loading import Run
from textseq.probing.gradients import reach
from textseq.probing.reach import Reach
from textseq.probing.sequences import adding
from textseq.probing.variants import Variant

ROWS = 16


def reach_at_first(variant: Variant, *, length: int, initialisations: int, seed: int) -> Reach:
    """Measures an encoder that has learned nothing, on sequences of the adding problem.

    Args:
        variant: Which encoder.
        length: Of the sequences, in steps.
        initialisations: How many draws of its weights the geometric mean is over.
        seed: Of the first draw; the others follow.
    """
    inputs, _ = adding(np.random.default_rng(seed), ROWS, length)
    weights = []
    for draw in range(initialisations):
        keras.utils.set_random_seed(seed + draw)
        encoder = variant.build()
        encoder(inputs[:1, :2])
        weights.append(encoder.get_weights())
    return reach(variant.label, encoder, inputs, weights, seed=seed)


def reach_of_run(run: Run, *, length: int, seed: int) -> Iterator[Reach]:
    """Measures a run's encoder as it was at first, and as training left it, on held-out texts one after the other.

    Args:
        run: Any task's.
        length: Of the sequences, in tokens.
        seed: Of the weighting of the last output.
    """
    run = run.in_float32()
    token_ids = _held_out(run, length)
    keras.utils.set_random_seed(run.config.seed)
    fresh = run.task.build_model(run.config, run.tokenizer.vocabulary_size, run.labels)
    for model, when in ((fresh, "at first"), (run.model, "trained")):
        batch = {"token_ids": token_ids, "segment_ids": np.zeros_like(token_ids)}
        inputs = np.asarray(keras.ops.convert_to_numpy(model.embedding(batch, training=False)))
        encoder = model.encoder
        yield reach(f"{run.directory.path.name}, {when}", encoder, inputs, [encoder.get_weights()], seed=seed)


def _held_out(run: Run, length: int) -> np.ndarray:
    """Returns rows of tokens that training did not see, or that it did where nothing was held out."""
    splits: Any = run.prepared().splits
    split = next(splits[name] for name in ("test", "validation", "train") if name in splits)
    texts: EncodedTexts = split.texts
    wanted, ids, row = ROWS * length, [np.zeros(0, np.int32)], 0
    while sum(map(len, ids)) < wanted and row < len(texts):
        ids.append(np.asarray(texts.row(row), np.int32))
        row += 1
    joined = np.concatenate(ids)
    if not len(joined):
        raise DataError(problem(f"split '{split.name}'", "has no tokens to run the encoder over"))
    return np.resize(joined, (ROWS, length))
