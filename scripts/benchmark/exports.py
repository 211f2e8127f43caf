"""What an export costs, and the export that the workloads of serving ask: an LSTM classifier of usual size."""

from __future__ import annotations

import atexit
import statistics
import sys
import tempfile
from functools import cache
from pathlib import Path

from benchmark.commands import run
from benchmark.figures import Figure, Figures
from benchmark.sentences import write_rows

_ROWS = 4_000
_ENCODERS = {"lstm": "{name: lstm, units: 256}", "transformer": "{name: transformer, units: 256, depth: 4}"}
_CONFIG = """\
name: bench
data: {{path: json, data_files: {{train: {train}, test: {test}}}, label: label}}
tokenizer: {{name: sentencepiece, vocabulary_size: 4000}}
embedding: {{units: 128}}
encoder: {encoder}
task: {{name: classification}}
training: {{epochs: 1}}
"""


def export(quick: bool) -> Figures:
    """Seconds that `textseq export` takes, checks and start included, and the size of what it writes."""
    seconds: dict[str, list[float]] = {encoder: [] for encoder in _ENCODERS}
    megabytes = {}
    for number in range(1 if quick else 3):
        for encoder, times in seconds.items():
            out = _workplace() / f"export-{encoder}-{number}"
            times.append(_export(_classifier_run(encoder), out))
            megabytes[encoder] = sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) / 1e6
    figures = {}
    for encoder, times in seconds.items():
        figures[f"{encoder}, time"] = Figure(statistics.median(times), "s", at_most=40.0)
        figures[f"{encoder}, size"] = Figure(megabytes[encoder], "MB")
    return figures


@cache
def exported_classifier() -> Path:
    """Returns a folder of versions, made once in a process; it goes when the process ends."""
    out = _workplace() / "classifier"
    _export(_classifier_run("lstm"), out)
    return out


@cache
def _classifier_run(encoder: str) -> Path:
    """Trains for a few steps: what is right does not matter here, only what it costs."""
    folder = _workplace() / encoder
    folder.mkdir()
    train, test = write_rows(folder / "train.jsonl", _ROWS), write_rows(folder / "test.jsonl", _ROWS // 4)
    config, trained = folder / "config.yaml", folder / "run"
    config.write_text(_CONFIG.format(train=train, test=test, encoder=_ENCODERS[encoder]))
    run([sys.executable, "-m", "textseq", "train", str(config), "--run-dir", str(trained), "--quiet"])
    return trained


def _export(trained: Path, out: Path) -> float:
    return run([sys.executable, "-m", "textseq", "export", str(trained), str(out)]).seconds


@cache
def _workplace() -> Path:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Path(folder.name)
