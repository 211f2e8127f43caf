"""Speed and memory, measured: `python scripts/bench.py [--only NAME]… [--quick] [--json FILE]`.

Each workload is a function that returns figures by name. Times are medians; a figure that compares is a ratio of two
measured in turn in the same run, for machines drift. A workload's budget, where it has one, stands beside its figure.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

Figures = dict[str, tuple[float, str, float | None]]  # name: (value, unit, budget)
WORKLOADS: dict[str, Callable[[bool], Figures]] = {}

_ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "HF_HUB_OFFLINE": "1"}


def workload(function: Callable[[bool], Figures]) -> Callable[[bool], Figures]:
    """Registers a workload under its function's name."""
    WORKLOADS[function.__name__.replace("_", "-")] = function
    return function


@workload
def startup(quick: bool) -> Figures:
    """Wall time of commands that need no TensorFlow; best of several runs, for the first fills the disk's cache."""
    config = "configs/classification/sst2-lstm.yaml"
    commands = {"--help": ["--help"], "plugins list": ["plugins", "list"], "config check": ["config", "check", config]}
    return {
        name: (min(_seconds([sys.executable, "-m", "textseq", *arguments]) for _ in range(3 if quick else 9)), "s", 0.3)
        for name, arguments in commands.items()
    }


@workload
def tokenize(quick: bool) -> Figures:
    """Megabytes a second from a text column to token ids in Arrow, on one core."""
    from datasets import Dataset

    from textseq.data.encoded import encode_column
    from textseq.registry import tokenizers

    texts = _sentences(20_000 if quick else 200_000)
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
        figures[name] = (speed, "MB/s", 10.0 if name == "unigram" else None)
    return figures


@workload
def input(quick: bool) -> Figures:
    """Tokens a second that the batcher makes, and the share of a training step that it would take."""
    import numpy as np

    from textseq.data.batches import ClassificationBatches
    from textseq.data.encoded import EncodedTexts

    generator = np.random.default_rng(0)
    lengths = generator.integers(5, 60, 5_000 if quick else 50_000)
    rows = EncodedTexts.from_lists([generator.integers(4, 8000, length).astype(np.uint16) for length in lengths])
    batches = ClassificationBatches(
        rows, np.zeros(len(rows), np.int32), batch_size=64, seed=0, shuffle=True, bucket=True, max_length=512
    )
    began = time.perf_counter()
    steps = sum(1 for _ in batches.epoch(0))
    seconds = time.perf_counter() - began
    return {
        "batches": (int(lengths.sum()) / seconds, "tokens/s", None),
        "one batch": (seconds / steps * 1e3, "ms", None),
        **_waiting(quick),
    }


@workload
def memory(quick: bool) -> Figures:
    """Peak memory of predicting lines from a file and of evaluating a split, by number of lines."""
    figures: Figures = {}
    for lines in (10_000, 100_000) if quick else (10_000, 1_000_000):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            test = _rows(folder / "test.jsonl", lines)
            run = _small_run(folder, test)
            for verb, more in (("predict", ["--input", str(test)]), ("evaluate", [])):
                command = [sys.executable, "-m", "textseq", verb, str(run), *more, "--json"]
                began = time.perf_counter()
                figures[f"{verb} {lines:,} lines"] = (_peak_megabytes(command), "MB", 1500.0)
                figures[f"{verb} {lines:,} lines, speed"] = (lines / (time.perf_counter() - began), "texts/s", None)
    return figures


def _waiting(quick: bool) -> Figures:
    """Trains a small classifier, step by step, and adds up how long each step waits for its batch."""
    from textseq.config import load_config
    from textseq.training.trainer import build, prepare

    with tempfile.TemporaryDirectory() as folder:
        config = load_config(_small_config(Path(folder), rows=3_000 if quick else 12_000))
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
    return {"share of training spent waiting": (100 * waiting / (waiting + working), "%", 3.0)}


def _small_run(folder: Path, test: Path) -> Path:
    run = folder / "run"
    command = [sys.executable, "-m", "textseq", "train", str(_small_config(folder, rows=2_000)), "--run-dir", str(run)]
    subprocess.run([*command, "--quiet"], check=True, env=_ENVIRONMENT, stdout=subprocess.DEVNULL)
    resolved = run / "resolved.yaml"  # the test split comes in afterwards, so that training does not score it too
    resolved.write_text(resolved.read_text().replace("data_files:\n", f"data_files:\n    test: {test}\n", 1))
    return run


def _small_config(folder: Path, *, rows: int) -> Path:
    train = _rows(folder / "train.jsonl", rows)
    config = folder / "config.yaml"
    config.write_text(
        f"name: bench\ndata: {{path: json, data_files: {{train: {train}}}, label: label}}\n"
        "tokenizer: {name: sentencepiece, vocabulary_size: 500}\nencoder: {name: lstm, units: 128}\n"
        "task: {name: classification}\ntraining: {epochs: 1}\n"
    )
    return config


def _rows(path: Path, count: int) -> Path:
    with path.open("w") as file:
        for number, text in enumerate(_sentences(count)):
            file.write(json.dumps({"text": text, "label": number % 2}) + "\n")
    return path


def _sentences(count: int) -> list[str]:
    """Returns pseudo-random sentences over a vocabulary with a natural frequency curve."""
    import numpy as np

    generator = np.random.default_rng(0)
    letters = np.array(list("etaoinshrdlucmfwypvbgk"))
    words = ["".join(generator.choice(letters, size)) for size in generator.integers(2, 10, 5_000)]
    chances = 1.0 / np.arange(2, len(words) + 2)
    drawn = generator.choice(len(words), size=count * 20, p=chances / chances.sum()).reshape(count, 20)
    return [" ".join(words[place] for place in row) for row in drawn]


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, env=_ENVIRONMENT, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def _peak_megabytes(command: list[str]) -> float:
    """Runs a command and returns its own peak resident memory."""
    process = subprocess.Popen(command, env=_ENVIRONMENT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise click.ClickException(f"{' '.join(command)} ended with {os.waitstatus_to_exitcode(status)}")
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return float(usage.ru_maxrss / scale)


def _table(results: dict[str, Figures]) -> Table:
    table = Table("workload", "figure", "value", "unit", "budget")
    for name, figures in results.items():
        for figure, (value, unit, budget) in figures.items():
            table.add_row(name, figure, f"{value:,.3g}" if value < 1000 else f"{value:,.0f}", unit, f"{budget or ''}")
    return table


@click.command()
@click.option("--only", multiple=True, help="Names of workloads. Default: all.")
@click.option("--quick", is_flag=True, help="Smaller, for a first look.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Write the figures to this file too.")
def main(only: tuple[str, ...], quick: bool, path: Path | None) -> None:
    """Measures workloads and prints their figures."""
    unknown = set(only) - set(WORKLOADS)
    if unknown:
        raise click.UsageError(f"Unknown workload: {', '.join(sorted(unknown))}. There are: {', '.join(WORKLOADS)}.")
    results = {name: WORKLOADS[name](quick) for name in only or WORKLOADS}
    Console().print(_table(results))
    if path:
        from textseq.training.environment import environment

        machine = {"machine": platform.machine(), "memory_limit": resource.getrlimit(resource.RLIMIT_AS)[0]}
        path.write_text(json.dumps({"environment": {**environment(), **machine}, "results": results}, indent=1))


if __name__ == "__main__":
    main()
