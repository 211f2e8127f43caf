"""What checkpoints cost a training, and how long a run that goes on takes to its first step."""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.figures import Figure, Figures
from benchmark.processes import environment
from benchmark.sentences import write_rows
from textseq.training.checkpoints.sealed import read_sealed, write_sealed

STOP_AT = "TEXTSEQ_BENCH_STOP_AT"  # in the environment, for a run's config must stay the same
_EPOCHS, _BATCH = 2, 64
_LARGE_MEGABYTES = 160  # two layers of 650 LSTM units over 10,000 words, with Adam's moments


def checkpoint(quick: bool) -> Figures:
    """The share of a training that checkpoints take, and a resumed run's first step beside a new run's."""
    rows = 10_000 if quick else 40_000
    steps = -(-rows // _BATCH)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = _trained(folder, "whole", rows)  # leaves the tokens in the cache
        new = [_trained(folder, f"new{number}", rows, stop_at=1) for number in range(1 if quick else 3)]
        _trained(folder, "cut", rows, stop_at=_EPOCHS * steps - 10)
        resumed = _trained(folder, "cut", rows)
        size = max(path.stat().st_size for path in (folder / "whole" / "checkpoints").iterdir())
        figures = _large(folder)
    began, first = whole[0]["time"], _only(whole, "first step")[0]["time"]
    taken = [event["seconds"] for event in _only(whole, "checkpoint")]
    trained = _only(whole, "end")[0]["time"] - first
    begins = statistics.median(_to_first_step(events) for events in new)
    goes_on = _to_first_step(resumed)
    return {
        "checkpoints, share of training": Figure(100 * sum(taken[1:]) / trained, "%", at_most=2.0),
        "a checkpoint": Figure(statistics.median(taken), "s"),
        "its size": Figure(size / 1e6, "MB"),
        "training": Figure(trained, "s"),
        "first run to its first step": Figure(first - began, "s"),
        "begins, to the first step": Figure(begins, "s"),
        "goes on near the end, to the first step": Figure(goes_on, "s"),
        "going on beyond beginning": Figure(goes_on - begins, "s", at_most=5.0),
        **figures,
    }


def _trained(folder: Path, name: str, rows: int, stop_at: int = 0) -> list[dict[str, Any]]:
    """Runs `textseq train --resume` in a process; returns its start and its clock's events."""
    config, clock = _config(folder, rows), folder / "clock.jsonl"
    clock.unlink(missing_ok=True)
    command = [sys.executable, "-m", "textseq", "train", str(config), "--run-dir", str(folder / name)]
    began = time.time()
    done = subprocess.run(
        [*command, "--resume", "--quiet", "--no-report"],
        env={**environment(), STOP_AT: str(stop_at)},
        capture_output=True,
        text=True,
    )
    if done.returncode != (128 + signal.SIGTERM if stop_at else 0):
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr[-500:]}")
    events = [json.loads(line) for line in clock.read_text().splitlines()]
    return [{"event": "start", "time": began}, *events]


def _config(folder: Path, rows: int) -> Path:
    config, train = folder / "config.yaml", folder / "train.jsonl"
    if not train.is_file():
        write_rows(train, rows + rows // 10)
        lines = train.read_text().splitlines(keepends=True)
        (folder / "validation.jsonl").write_text("".join(lines[rows:]))
        train.write_text("".join(lines[:rows]))
        config.write_text(
            f"name: bench\ndata: {{path: json, data_files: {{train: {train}, "
            f"validation: {folder}/validation.jsonl}}, label: label}}\n"
            "tokenizer: {name: sentencepiece, vocabulary_size: 4000}\nembedding: {units: 128}\n"
            "encoder: {name: lstm, units: 256}\ntask: {name: classification}\n"
            f"training:\n  epochs: {_EPOCHS}\n  batch_size: {_BATCH}\n"
            f'  callbacks: [{{name: "benchmark.step_clock:StepClock", path: {folder}/clock.jsonl}}]\n'
        )
    return config


def _large(folder: Path) -> Figures:
    """Writes and reads a large checkpoint."""
    arrays = [np.random.default_rng(0).normal(size=_LARGE_MEGABYTES * 250_000).astype(np.float32)]
    path = folder / "large"
    began = time.perf_counter()
    write_sealed(path, {}, arrays)
    written = time.perf_counter()
    read_sealed(path)
    read = time.perf_counter()
    os.unlink(path)
    return {
        f"writing {_LARGE_MEGABYTES} MB": Figure(written - began, "s"),
        f"reading {_LARGE_MEGABYTES} MB": Figure(read - written, "s"),
    }


def _only(events: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == name]


def _to_first_step(events: list[dict[str, Any]]) -> float:
    return float(_only(events, "first step")[0]["time"] - events[0]["time"])
