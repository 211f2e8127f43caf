"""What one would write without the toolkit: a text classifier in plain Keras, over word pieces, with `tf.data`.

`python -m benchmark.plain_keras FOLDER` reads `train.jsonl` and `validation.jsonl` there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from benchmark.epoch import BATCH, EPOCHS, UNITS, VOCABULARY, WIDTH
from benchmark.epoch_clock import EpochClock
from textseq.data.tokenizers.sentencepiece import SentencePieceTokenizer


def main(folder: Path) -> None:
    """Trains and keeps the best weights."""
    train, validation = (_read(folder / f"{split}.jsonl") for split in ("train", "validation"))
    tokenizer = SentencePieceTokenizer(vocabulary_size=VOCABULARY)  # the same pieces, fitted in the same time
    tokenizer.fit(train[0], 0)
    model = keras.Sequential(
        [
            layers.Embedding(tokenizer.vocabulary_size, WIDTH, mask_zero=True),
            layers.Bidirectional(layers.LSTM(UNITS // 2, return_sequences=True)),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    best = keras.callbacks.ModelCheckpoint(
        str(folder / "best.weights.h5"), monitor="val_accuracy", save_best_only=True, save_weights_only=True
    )
    model.fit(
        _dataset(tokenizer, *train, shuffle=True),
        validation_data=_dataset(tokenizer, *validation, shuffle=False),
        epochs=EPOCHS,
        verbose=0,
        callbacks=[best, EpochClock(str(folder / "plain.jsonl"))],
    )


def _dataset(tokenizer: SentencePieceTokenizer, texts: list[str], labels: list[int], *, shuffle: bool) -> Any:
    """Returns batches that are padded to their own longest text."""
    import tensorflow as tf

    rows = tokenizer.encode(texts)
    flat = np.concatenate([np.asarray(row, np.int32) for row in rows])
    ragged = tf.RaggedTensor.from_row_lengths(flat, [len(row) for row in rows])
    dataset = tf.data.Dataset.from_tensor_slices((ragged, np.asarray(labels, np.int32)))
    dataset = dataset.shuffle(len(rows), seed=0) if shuffle else dataset
    return dataset.batch(BATCH).map(lambda ids, label: (ids.to_tensor(), label)).prefetch(tf.data.AUTOTUNE)


def _read(path: Path) -> tuple[list[str], list[int]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [row["text"] for row in rows], [row["label"] for row in rows]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
