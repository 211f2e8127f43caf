"""Made-up sentences with a natural frequency curve, files of them, and a config that trains on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

_WORDS = 5_000


def sentences(count: int) -> list[str]:
    """Returns pseudo-random sentences of twenty words, the same at each call."""
    generator = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = ["".join(generator.choice(letters, size)) for size in generator.integers(2, 10, _WORDS)]
    chances = 1.0 / np.arange(2, len(words) + 2)
    drawn = generator.choice(len(words), size=count * 20, p=chances / chances.sum()).reshape(count, 20)
    return [" ".join(words[place] for place in row) for row in drawn]


def write_rows(path: Path, count: int) -> Path:
    """Writes sentences with two labels as JSON lines; returns the file."""
    with path.open("w") as file:
        for number, text in enumerate(sentences(count)):
            file.write(json.dumps({"text": text, "label": number % 2}) + "\n")
    return path


def small_config(folder: Path, *, rows: int) -> Path:
    """Writes a config of a small classifier and its training rows; returns the config."""
    train = write_rows(folder / "train.jsonl", rows)
    config = folder / "config.yaml"
    config.write_text(
        f"name: bench\ndata: {{path: json, data_files: {{train: {train}}}, label: label}}\n"
        "tokenizer: {name: sentencepiece, vocabulary_size: 500}\nencoder: {name: lstm, units: 128}\n"
        "task: {name: classification}\ntraining: {epochs: 1}\n"
    )
    return config
