"""What commands cost as processes: time to start, memory over many lines, texts a second."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmark.figures import Figure, Figures
from benchmark.interleaving import Absent
from benchmark.processes import SCRIPTS, environment
from benchmark.sentences import small_config, write_rows

_CONFIG = SCRIPTS.parent / "configs" / "classification" / "sst2-lstm.yaml"


def startup(quick: bool) -> Figures:
    """Wall time of commands that need no TensorFlow; best of several runs, for the first fills the disk's cache."""
    commands = {"--help": ["--help"], "plugins list": ["plugins", "list"]}
    commands["config check"] = ["config", "check", str(_CONFIG)]
    figures = {}
    for name, arguments in commands.items():
        command = [sys.executable, "-m", "textseq", *arguments]
        best = min(run(command).seconds for _ in range(3 if quick else 9))
        figures[name] = Figure(best, "s", at_most=0.3)
    return figures


def memory(quick: bool) -> Figures:
    """Peak memory of predicting lines from a file and of evaluating a split, by number of lines."""
    figures: Figures = {}
    for lines in (10_000, 100_000) if quick else (10_000, 1_000_000):
        with tempfile.TemporaryDirectory() as name:
            test = write_rows(Path(name) / "test.jsonl", lines)
            trained = small_run(Path(name), test)
            for verb, more in (("predict", ["--input", str(test)]), ("evaluate", [])):
                done = run([sys.executable, "-m", "textseq", verb, str(trained), *more, "--json"])
                figures[f"{verb} {lines:,} lines"] = Figure(done.peak_megabytes, "MB", at_most=1500.0)
                figures[f"{verb} {lines:,} lines, speed"] = Figure(lines / done.seconds, "texts/s")
    return figures


def predict(quick: bool) -> Figures:
    """Texts a second of `textseq predict` on a file, with its start and without: the difference of two files' times."""
    few, many = (2_000, 20_000) if quick else (5_000, 105_000)
    times: dict[int, list[float]] = {few: [], many: []}
    with tempfile.TemporaryDirectory() as name:
        files = {lines: write_rows(Path(name) / f"{lines}.jsonl", lines) for lines in times}
        trained = small_run(Path(name), files[few])
        for _ in range(1 if quick else 3):
            for lines, file in files.items():
                command = [sys.executable, "-m", "textseq", "predict", str(trained), "--input", str(file), "--json"]
                times[lines].append(run(command).seconds)
    shortest, longest = min(times[few]), min(times[many])
    return {
        "texts, with start": Figure(many / longest, "texts/s"),
        "texts, once started": Figure((many - few) / (longest - shortest), "texts/s"),
        "start": Figure(shortest - few * (longest - shortest) / (many - few), "s"),
    }


def apart(module: str, workload: str, quick: bool) -> Figures:
    """Measures a workload of figures in a process of its own: `python -m MODULE WORKLOAD QUICK ANSWER`."""
    with tempfile.TemporaryDirectory() as name:
        answer = Path(name) / "answer.json"
        run([sys.executable, "-m", module, workload, "quick" if quick else "whole", str(answer)])
        return {figure: Figure(**fields) for figure, fields in json.loads(answer.read_text()).items()}


class Done:
    """A process that has ended well.

    Args:
        seconds: Of wall time.
        peak_megabytes: Its own largest resident memory.
    """

    def __init__(self, seconds: float, peak_megabytes: float) -> None:
        self.seconds, self.peak_megabytes = seconds, peak_megabytes


def run(command: list[str]) -> Done:
    """Runs a command to its end.

    Raises:
        Absent: It ended with an error.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise Absent(f"{' '.join(command)} ended with {process.returncode}: {' '.join(last)}")
    return Done(seconds, usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3))


def small_run(folder: Path, test: Path) -> Path:
    """Trains a small classifier; its test split comes in afterwards, so that training does not score it too."""
    trained = folder / "run"
    command = [sys.executable, "-m", "textseq", "train", str(small_config(folder, rows=2_000)), "--quiet"]
    run([*command, "--run-dir", str(trained)])
    resolved = trained / "resolved.yaml"
    resolved.write_text(resolved.read_text().replace("data_files:\n", f"data_files:\n    test: {test}\n", 1))
    return trained
