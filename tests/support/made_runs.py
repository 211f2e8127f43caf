"""Run directories as training leaves them, made without a model: what they hold is known beforehand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from textseq.rundir import RunDirectory
from textseq.tasks.metrics import ClassificationScores
from textseq.tasks.rows import RowRecord

_FILE = "0" * 64


def classifier(
    path: Path,
    *,
    names: list[str] | None = None,
    rows: int = 400,
    skill: float = 0.8,
    seed: int = 0,
    texts: str = "rows",
    encoder: str = "lstm",
) -> Path:
    """A classification run that has each row right with probability `skill`; equal `texts` mean equal test rows."""
    names = ["negative", "positive"] if names is None else names
    generator = np.random.default_rng([seed, 7])
    targets = np.random.default_rng(3).integers(0, len(names), rows)
    best = min(5, len(names))
    order = np.stack([generator.permutation(len(names))[:best] for _ in range(rows)])
    for row, target in enumerate(targets):
        others = [number for number in order[row] if number != target][: best - 1]
        place = 0 if generator.random() < skill else 1
        order[row] = [*others[:place], target, *others[place:]]
    sure = np.sort(generator.dirichlet(np.ones(best) * 0.6, rows), 1)[:, ::-1].astype(np.float32)
    full = np.zeros((rows, len(names)), np.float32)
    np.put_along_axis(full, order, sure, 1)
    scores = ClassificationScores(names)
    scores.update(full, targets)
    wrong = np.flatnonzero(order[:, 0] != targets)
    arrays = {
        "text_hash": np.arange(rows, dtype=np.uint64) + sum(texts.encode()),
        "length": generator.integers(1, 60, rows).astype(np.int32),
        "loss": -np.log(np.maximum(full[np.arange(rows), targets], 1e-12)),
        "best": order.astype(np.uint8),
        "probability": sure,
        "target": targets.astype(np.uint8),
    }
    mistakes = [{"row": int(row), "texts": [f"text {row} <b>bold</b> & more"]} for row in wrong[:30]]
    about = {"kind": "one label", "split": "test", "classes": names, "mistakes": mistakes}
    run = _run(path, {"name": "classification", "pooling": "max"}, encoder, seed)
    RowRecord(about, arrays).save(run.rows)
    run.write_json("scores.json", {"test": scores.results(), "training": _training(1.5)})
    counts = dict(zip(names, np.bincount(targets, minlength=len(names)).tolist(), strict=True))
    largest = max(counts, key=lambda name: counts[name])
    classes = {"count": len(names), "largest": [largest, counts[largest]], "smallest": [names[0], 1], "rows": counts}
    run.write_json("audit.json", {**_audit(rows), "classes": {**classes, "majority": 0.5}, "conflicting": 2})
    _log(run, "val_accuracy", [skill - 0.2, skill, skill - 0.1])
    return path


def writer(path: Path, *, nats: float = 4.0, seed: int = 0, rows: int = 60, tokenizer: str = "same") -> Path:
    """A language modelling run that pays about so many nats a token on rows of 300 tokens and 1,200 bytes."""
    generator = np.random.default_rng(seed)
    row = np.repeat(np.arange(rows), 2)
    tokens = np.tile([256, 44], rows)
    shared = np.random.default_rng(5).normal(0, 0.3, 2 * rows)  # some texts are harder, for every model
    paid = (nats + shared + generator.normal(0, 0.02, 2 * rows)) * tokens
    arrays = {
        "text_hash": np.arange(rows, dtype=np.uint64),
        "bytes": np.full(rows, 1200),
        "unknown_bytes": np.zeros(rows, np.int64),
        "block_row": row.astype(np.int32),
        "block_nats": paid,
        "block_tokens": tokens.astype(np.int32),
    }
    bands = [{"from": low, "to": high, "nats": nats * 900, "tokens": 900} for low, high in ((1, 1), (2, 2), (3, None))]
    about = {"kind": "language model", "split": "test", "tokenizer": tokenizer, "by_place": bands}
    about |= {"by_count": bands, "unknown": {"nats": 0.0, "tokens": 0}, "end": {"nats": 60.0, "tokens": 60}}
    run = _run(path, {"name": "language_modeling", "window": 35}, "lstm", seed)
    RowRecord(about, arrays).save(run.rows)
    loss = paid.sum() / tokens.sum()
    bits = paid.sum() / math.log(2) / (1200 * rows)
    scores = {"loss": loss, "perplexity": math.exp(loss), "bits_per_byte": bits, "rows": rows}
    run.write_json("scores.json", {"test": scores, "training": _training(300.0)})
    run.write_json("audit.json", _audit(rows))
    run.write_json("samples.json", [{"prompt": "Once", "text": " upon\na <time>", "temperature": 0.8, "seed": 1}])
    _log(run, "val_perplexity", [math.exp(nats + 1), math.exp(nats + 0.5), math.exp(nats)])
    return path


def _run(path: Path, task: dict[str, Any], encoder: str, seed: int) -> RunDirectory:
    run = RunDirectory(path)
    path.mkdir(parents=True)
    settings = {
        "name": path.name,
        "data": {"path": "json", "text": "text", "label": "label"},
        "encoder": {"name": encoder, "units": 32, "depth": 1},
        "task": task,
        "seed": seed,
        "tokenizer": {"name": "words"},
        "training": {"epochs": 3, "batch_size": 32, "learning_rate": 0.002},
    }
    run.write_text("resolved.yaml", json.dumps(settings, indent=1))  # JSON is YAML
    run.write_json("environment.json", {"time": "2026-01-01T00:00:00Z", "backend": "jax", "packages": {"keras": "3"}})
    part = {"kind": "encoder", "name": encoder, "package": None, "version": None, "module": "mine"}
    run.write_json("plugins.json", [{**part, "qualified": "Mine", "file": "/there/mine.py", "sha256": _FILE}])
    return run


def _training(seconds: float) -> dict[str, Any]:
    return {"seconds": seconds, "best_epoch": 2, "kept_epoch": 2, "weights": 12345, "tokens_per_second": 6789.0}


def _audit(rows: int) -> dict[str, Any]:
    quantiles = {"0.5": 10, "0.9": 20, "0.99": 30, "1.0": 40}
    entry = {"rows": rows, "empty": 0, "duplicates": 1, "in_train": 2, "tokens": 99, "length_quantiles": quantiles}
    return {"splits": {"train": entry, "test": entry}, "held_out": True, "streamed": False}


def _log(run: RunDirectory, score: str, values: list[float]) -> None:
    """Three epochs of 100 steps, a line each 50; a step takes a hundredth of a second."""
    for step in range(50, 301, 50):
        rate = {"learning_rate": 0.002 * (1 - step / 400)}
        run.append_jsonl("metrics.jsonl", {"step": step, "loss": 2.0 - step / 300, **rate})
        clock = {"step": step, "seconds": step / 100, "tokens_per_second": 5000.0 + step, "memory_bytes": 2**30}
        run.append_jsonl("timings.jsonl", clock)
        if step % 100 == 0:
            scored = {score: values[step // 100 - 1], "val_loss": 1.9 - step / 300}
            run.append_jsonl("metrics.jsonl", {"step": step, "epoch": step // 100, "loss": 2.0 - step / 300, **scored})
