"""Trainings by one, two and four processes on this machine: tokens a second, as `textseq train` says them."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmark.figures import Figure, Figures
from benchmark.interleaving import Absent
from benchmark.processes import environment
from benchmark.sentences import write_rows

_EPOCHS, _LINES_AN_EPOCH = 3, 4
_ROWS = 2_000
_BATCH, _WINDOW, _UNITS = 32, 35, 256


def scaling_processes(quick: bool) -> Figures:
    """Tokens a second of a language model, with the same batch however many processes share it.

    The first epoch, which compiles, and the scoring between epochs do not count.
    """
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as name:
        config = _config(Path(name))
        for count in (1, 2) if quick else (1, 2, 4):
            run = Path(name) / f"run-{count}"
            _train(config, run, count)
            title = "1 process" if count == 1 else f"{count} processes"
            figures[title] = Figure(_tokens_a_second(run), "tokens/s")
            if count > 1:
                figures[f"{title} ÷ 1 process"] = Figure(figures[title].value / figures["1 process"].value, "×")
    return figures


def _config(folder: Path) -> Path:
    for split, rows in (("train", _ROWS), ("validation", _ROWS // 20)):
        write_rows(folder / f"{split}.jsonl", rows)
    tokens = (folder / "train.jsonl").stat().st_size // 5  # about; it only sets how often a line is written
    every = max(tokens // (_BATCH * _WINDOW * _LINES_AN_EPOCH), 1)
    path = folder / "config.yaml"
    path.write_text(
        f"name: processes\ndata: {{path: json, data_files: {{train: {folder}/train.jsonl, "
        f"validation: {folder}/validation.jsonl}}}}\n"
        f"tokenizer: {{name: sentencepiece, vocabulary_size: 1000}}\nencoder: {{name: lstm, units: {_UNITS}}}\n"
        f"task: {{name: language_modeling, window: {_WINDOW}}}\n"
        f"training: {{epochs: {_EPOCHS}, batch_size: {_BATCH}, log_every: {every}}}\n"
    )
    return path


def _train(config: Path, run: Path, count: int) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "textseq", "train", str(config), "--run-dir", str(run), "--quiet", "--no-report"]
    together = ["--distributed", "--coordinator", address, "--processes", str(count), "--process"]
    commands = [[*command, *together, str(index)] for index in range(count)]
    if count == 1:
        commands = [[*command, "--backend", "jax"]]
    errors = [tempfile.TemporaryFile("w+", errors="replace") for _ in commands]  # noqa: SIM115 gone with the process
    pipes: Any = {"env": environment("jax"), "stdout": subprocess.DEVNULL}
    started = [subprocess.Popen(one, stderr=file, **pipes) for one, file in zip(commands, errors, strict=True)]
    codes = [process.wait() for process in started]
    if any(codes):
        raise Absent(_last_line(errors, codes))


def _last_line(errors: Sequence[Any], codes: Sequence[int]) -> str:
    failed = next(file for file, code in zip(errors, codes, strict=True) if code)
    failed.seek(0)
    return (failed.read().strip().splitlines() or [f"a process ended with {max(codes)}"])[-1][:200]


def _tokens_a_second(run: Path) -> float:
    lines = [json.loads(line) for line in (run / "timings.jsonl").read_text().splitlines()]
    compiled = next(line["step"] for line in lines if "epoch" in line)
    speeds = [line["tokens_per_second"] for line in lines if "epoch" not in line and line["step"] > compiled]
    return float(statistics.median(speeds))
