"""A converted model held to the SavedModel it was made beside, text by text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from textseq.errors import RunFailedError, problem, shown
from textseq.evaluation.loading import Run
from textseq.export.gate import blocks_of
from textseq.export.gate_classification import TOLERANCE, in_order, inputs_of
from textseq.export.held_out import CheckedTexts
from textseq.export.runtimes.asking import Replies
from textseq.export.runtimes.formats import RuntimeFormat
from textseq.export.session import Session


def saved_model_answers(version: Path, run: Run, texts: CheckedTexts) -> tuple[np.ndarray, list[Any]]:
    """Returns the SavedModel's probabilities `(texts, classes)` and decisions, from a clean process."""
    session, blocks = Session(version), blocks_of(texts)
    numbers = [session.ask("serving_default", inputs_of(texts, rows)) for rows in blocks]
    answers = session.run()
    probabilities = np.array(in_order(answers, numbers, blocks, "probabilities"))
    if run.labels is not None and run.labels.multi:
        chosen = in_order(answers, numbers, blocks, "predicted")
        names = run.labels.names
        return probabilities, [[name for name, has in zip(names, row, strict=True) if has] for row in chosen]
    return probabilities, [label.decode() for label in in_order(answers, numbers, blocks, "label")]


def compare(
    item: RuntimeFormat, run: Run, texts: CheckedTexts, wanted: tuple[np.ndarray, list[Any]], found: Replies
) -> dict[str, Any]:
    """Compares both.

    Args:
        item: The format.
        run: The classification run.
        texts: What both were asked.
        wanted: The SavedModel's probabilities and decisions.
        found: The converted model's answers.

    Returns:
        What was compared, for the report.

    Raises:
        RunFailedError: They differ; shows the first text at which they do.
    """
    ties = 0
    for row, text in enumerate(texts.read()):
        right, given = wanted[0][row], found.probabilities[row]
        if not np.abs(right - given).max() <= TOLERANCE:
            raise _refuse(item, text, "probabilities", right.tolist(), given.tolist())
        if wanted[1][row] != found.decided[row]:
            if not _toss_up(run, right):
                raise _refuse(item, text, "labels", wanted[1][row], found.decided[row])
            ties += 1
    return {
        "held_out": texts.held_out,
        "split": texts.split,
        "adversarial": len(texts.texts) - texts.held_out,
        "largest_probability_difference": float(np.abs(wanted[0] - found.probabilities).max()),
        "tolerance": TOLERANCE,
        "ties": ties,
    }


def _toss_up(run: Run, probabilities: np.ndarray) -> bool:
    """Returns whether a decision is so close that rounding may make it."""
    if run.labels is not None and run.labels.multi:
        return bool(np.abs(probabilities - getattr(run.task, "threshold", 0.5)).min() <= TOLERANCE)
    low, high = np.sort(probabilities)[-2:]
    return bool(high - low <= TOLERANCE)


def _refuse(item: RuntimeFormat, text: Any, what: str, right: Any, given: Any) -> RunFailedError:
    wrong = f"the {what} of the {item.title} model differ from the SavedModel's at the text {shown(text)}"
    answers = f"The SavedModel gives {shown(right)}, {item.title} {shown(given)}"
    way_out = f"{answers}. No {item.title} was published; the SavedModel is"
    return RunFailedError(problem(f"--format {item.name}", wrong, way_out=way_out))
