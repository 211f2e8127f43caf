"""A published SavedModel's other formats: converted, checked, and put beside it under the same number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from textseq.errors import DataError, RunDirectoryError, problem
from textseq.evaluation.loading import Run
from textseq.export.held_out import CheckedTexts, whole_split
from textseq.export.recorded import hits_of
from textseq.export.runtimes.asking import Replies, ask, sendable
from textseq.export.runtimes.comparison import compare, saved_model_answers
from textseq.export.runtimes.conversion import convert, shrink
from textseq.export.runtimes.formats import INT8, RuntimeFormat, folder_of
from textseq.export.versions import workspace
from textseq.files import sync

REPORT = "textseq.json"
FORMAT_VERSION = 1


def make(
    item: RuntimeFormat, run: Run, version: Path, texts: CheckedTexts, *, temperature: float, int8: bool
) -> dict[str, Any]:
    """Writes OUT.<format>/<version>, and with `int8` OUT.<format>-int8/<version>, each whole or not at all.

    Args:
        item: The format.
        run: The classification run, on TensorFlow in single precision.
        version: The SavedModel's folder.
        texts: The gate's.
        temperature: Of a calibrated classifier.
        int8: Whether the weights are made 8-bit integers as well.

    Returns:
        `path` and what was checked, and with `int8` the same of that model under `int8`.

    Raises:
        RunFailedError: The model cannot be converted or loaded, or answers otherwise; nothing of it was published.
    """
    folder = folder_of(version.parent, item.name)
    sent = sendable(item, texts)
    with workspace(folder) as beside:
        beside.mkdir()
        convert(item, run, temperature, beside / item.model)
        found = ask(item, beside / item.model, run, sent)
        gate = compare(item, run, sent, saved_model_answers(version, run, sent), found)
        gate["left_out_for_nul"] = len(texts.texts) - len(sent.texts)
        _describe(beside, item, run, temperature, found, gate=gate)
        path = _put(beside, folder / version.name)
    made: dict[str, Any] = {"path": str(path), "gate": gate}
    if int8 and item.shrinks:
        made["int8"] = _shrunk(item, run, path, sent, temperature)
    return made


def _shrunk(item: RuntimeFormat, run: Run, exact: Path, texts: CheckedTexts, temperature: float) -> dict[str, Any]:
    """Makes the model's weights 8-bit integers; nothing is refused for a lost label, but all is said."""
    folder = exact.parent.with_name(f"{exact.parent.name}{INT8}")
    with workspace(folder) as beside:
        beside.mkdir()
        small = beside / item.model
        shrink(item, run, temperature, exact / item.model, small)
        said: dict[str, Any] = {"bytes": small.stat().st_size, "bytes_before": (exact / item.model).stat().st_size}
        replies, before = ask(item, small, run, texts), ask(item, exact / item.model, run, texts)
        said["largest_probability_difference"] = float(np.abs(replies.probabilities - before.probabilities).max())
        said |= _accuracies(item, run, exact / item.model, small)
        _describe(beside, item, run, temperature, replies, int8=said)
        return {"path": str(_put(beside, folder / exact.name)), **said}


def _accuracies(item: RuntimeFormat, run: Run, exact: Path, small: Path) -> dict[str, Any]:
    """Returns the accuracy before and after on all of the test split; None where it is not there or has no labels."""
    try:
        rows = sendable(item, whole_split(run))
    except DataError:
        return {"split": None, "rows": 0, "accuracy": None, "accuracy_before": None}
    if rows.targets is None:
        return {"split": rows.split, "rows": len(rows.texts), "accuracy": None, "accuracy_before": None}
    after, before = (hits_of(run, rows, ask(item, model, run, rows).decided) for model in (small, exact))
    scores = {"accuracy": float(np.mean(after)), "accuracy_before": float(np.mean(before))}
    return {"split": rows.split, "rows": len(rows.texts), **scores}


def _describe(
    folder: Path, item: RuntimeFormat, run: Run, temperature: float, replies: Replies, **checked: dict[str, Any]
) -> None:
    labels = None if run.labels is None else {"names": list(run.labels.names), "multi": run.labels.multi}
    task: Any = run.task
    about = {
        "format_version": FORMAT_VERSION,
        "format": item.name,
        "name": run.config.name,
        "task": run.config.task.name,
        "labels": labels,
        "temperature": temperature,
        "inputs": replies.inputs,
        "outputs": replies.outputs,
        "max_length": task.max_length,
        "truncate": task.truncate,
        **checked,
        "packages": replies.packages,
    }
    (folder / REPORT).write_text(json.dumps(about, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _put(beside: Path, target: Path) -> Path:
    """Renames a finished model into place.

    Raises:
        RunDirectoryError: Something is there.
    """
    sync(beside)
    if target.exists():
        raise RunDirectoryError(problem(str(target), "is there already", way_out="Move it away"))
    beside.rename(target)
    return target
