"""Whole trainings as processes: `textseq train` against a plain Keras script on the same texts, in turn.

Both read JSON lines, fit the same word pieces, train the same bidirectional LSTM in batches of 64, score a held-out
split after each epoch and keep the best weights. The script pads each batch to its own longest text, as one does.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.commands import run
from benchmark.figures import Figure, Figures
from benchmark.lengths import drawn_lengths, sst2_texts
from benchmark.sentences import sentences

EPOCHS, BATCH, VOCABULARY, WIDTH, UNITS = 3, 64, 4_000, 128, 256
_HELD_OUT = 872  # rows, as SST-2 has
_PROMISED = ("the first epoch", "one epoch with start", "a later epoch")


@dataclass(frozen=True)
class Training:
    """When things happened in one process, in seconds.

    Attributes:
        start: From the process's start to the first step.
        epochs: Of each epoch, validation included.
        whole: From the process's start to its end.
    """

    start: float
    epochs: tuple[float, ...]
    whole: float


def epoch(quick: bool) -> Figures:
    """Seconds of starts, first epochs, later epochs and whole processes, and the ratios of ours to the script's."""
    ours, plain = [], []
    for _ in range(1 if quick else 3):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            _write_data(folder)
            config = _config(folder)
            train = ["-m", "textseq", "train", str(config), "--run-dir", str(folder / "run"), "--quiet"]
            ours.append(_watched(train, folder / "ours.jsonl"))
            plain.append(_watched(["-m", "benchmark.plain_keras", str(folder)], folder / "plain.jsonl"))
    mine, theirs = _summary(ours), _summary(plain)
    figures = {f"textseq, {name}": Figure(value, "s") for name, value in mine.items()}
    figures |= {f"plain Keras, {name}": Figure(value, "s") for name, value in theirs.items()}
    for name, value in mine.items():
        promised = 1.5 if name in _PROMISED else None
        figures[f"plain Keras ÷ textseq, {name}"] = Figure(theirs[name] / value, "×", at_least=promised)
    return figures


def _watched(arguments: list[str], clock: Path) -> Training:
    """Runs a Python process whose clock writes to a file."""
    began = time.time()
    done = run([sys.executable, *arguments])
    events = [json.loads(line) for line in clock.read_text().splitlines()]
    begins = [event["time"] for event in events if event["event"] == "begin"]
    ends = [event["time"] for event in events if event["event"] == "end"]
    epochs = tuple(end - begin for begin, end in zip(begins, ends, strict=True))
    return Training(begins[0] - began, epochs, done.seconds)


def _summary(trainings: list[Training]) -> dict[str, float]:
    """Returns medians; one epoch "with start" is what a training of a single epoch takes until its end."""
    later = [seconds for training in trainings for seconds in training.epochs[1:]]
    return {
        "start": statistics.median(training.start for training in trainings),
        "the first epoch": statistics.median(training.epochs[0] for training in trainings),
        "one epoch with start": statistics.median(training.start + training.epochs[0] for training in trainings),
        "a later epoch": statistics.median(later),
        f"{EPOCHS} epochs, the whole process": statistics.median(training.whole for training in trainings),
    }


def _write_data(folder: Path) -> None:
    """Writes train and validation; SST-2 where it lies here, else made-up sentences as long as its."""
    found = sst2_texts()
    if found is None:
        lengths = np.maximum(drawn_lengths() * 2 // 3, 1)  # words; a word is one piece and a half
        words = " ".join(sentences(int(lengths.sum()) // 20 + 1)).split()
        ends = np.cumsum(lengths)
        texts = [" ".join(words[end - length : end]) for end, length in zip(ends, lengths, strict=True)]
        found = texts, [number % 2 for number in range(len(texts))]
    rows = [json.dumps({"text": text, "label": label}) + "\n" for text, label in zip(*found, strict=True)]
    (folder / "validation.jsonl").write_text("".join(rows[:_HELD_OUT]))
    (folder / "train.jsonl").write_text("".join(rows[_HELD_OUT:]))


def _config(folder: Path) -> Path:
    config = folder / "config.yaml"
    config.write_text(
        f"name: bench\ndata: {{path: json, data_files: {{train: {folder}/train.jsonl, "
        f"validation: {folder}/validation.jsonl}}, label: label}}\n"
        f"tokenizer: {{name: sentencepiece, vocabulary_size: {VOCABULARY}}}\nembedding: {{units: {WIDTH}}}\n"
        f"encoder: {{name: lstm, units: {UNITS}}}\ntask: {{name: classification, pooling: mean}}\n"
        f"training:\n  epochs: {EPOCHS}\n  batch_size: {BATCH}\n  clip_norm: null\n"
        f'  callbacks: [{{name: "benchmark.epoch_clock:EpochClock", path: {folder}/ours.jsonl}}]\n'
    )
    return config
