"""The gate: an export is published only if it answers as the trained model does, text by text.

The export answers in a clean process, loaded as TensorFlow Serving loads it; the trained model answers by the very
functions that `textseq predict`, `generate` and `evaluate` use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from textseq.errors import RunFailedError, problem
from textseq.evaluation.loading import Run
from textseq.export.endpoint import Endpoint, one_row, repeated
from textseq.export.gate_classification import classification_checks
from textseq.export.gate_language_model import language_model_checks
from textseq.export.held_out import CheckedTexts
from textseq.export.session import Answers, Session

# Odd, and some rows alone: in batches of 64 every row fills whole vector registers in both models, so that the two are
# equal to the last bit and differences that clients would see stay unseen.
_ROWS_TOGETHER = 61
_ROWS_ALONE = 16
_BYTES_TOGETHER = 60_000  # a block is padded to its longest text
_COUNTS = (0, 1, 2)


def check(
    folder: Path, run: Run, endpoints: Sequence[Endpoint], texts: CheckedTexts, *, temperature: float = 1.0
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compares an export with its run.

    Args:
        folder: The SavedModel's.
        run: What it was made from, in the precision of the export.
        endpoints: Its signatures; each is called with its examples too, and with none.
        texts: What both are asked.
        temperature: Of a calibrated classifier.

    Returns:
        What was compared, for the report, and what the graph asks of a server.

    Raises:
        RunFailedError: They differ; shows the first text at which they do. Or the export does not load.
    """
    session = Session(folder)
    examples = [_ask_with_examples(session, endpoint) for endpoint in endpoints]
    blocks = blocks_of(texts)
    if run.labels is not None:
        finish: Callable[..., dict[str, Any]] = classification_checks(session, run, texts, blocks, temperature)
    else:
        finish = language_model_checks(session, run, texts, blocks, state_names=_state_names(endpoints))
    answers = session.run()
    for endpoint, numbers in zip(endpoints, examples, strict=True):
        _compare_row_counts(endpoint, [answers[number] for number in numbers])
    report = finish(answers)
    if loaded := session.facts["barred_modules_loaded"]:
        raise RunFailedError(problem("export", "needs Python modules to load", received=loaded))
    counts = {"held_out": texts.held_out, "split": texts.split, "adversarial": len(texts.texts) - texts.held_out}
    return {**counts, **report}, session.facts


def _ask_with_examples(session: Session, endpoint: Endpoint) -> list[int]:
    """Asks for nothing, for one row and for two, and returns the requests' numbers."""
    rows = {item.spec.name: one_row(item) for item in endpoint.inputs}
    return [session.ask(endpoint.name, {name: repeated(row, count) for name, row in rows.items()}) for count in _COUNTS]


def _compare_row_counts(endpoint: Endpoint, answers: Answers) -> None:
    """Refuses outputs that have not the batch first: row by row, TensorFlow Serving could not send them."""
    for count, answer in zip(_COUNTS, answers, strict=True):
        wrong = {name: value.shape for name, value in answer.items() if value.shape[:1] != (count,)}
        if wrong or set(answer) != set(endpoint.outputs):
            sentence = f"the outputs of {endpoint.name} for {count} rows are not what it promises"
            raise RunFailedError(problem("export", sentence, received=wrong or sorted(answer)))


def _state_names(endpoints: Sequence[Endpoint]) -> list[str]:
    """Returns the parts of a language model's state."""
    steps = (endpoint for endpoint in endpoints if endpoint.name == "step")
    return [item.spec.name for endpoint in steps for item in endpoint.inputs if item.spec.name != "token_ids"]


def blocks_of(texts: CheckedTexts) -> list[np.ndarray]:
    """Returns the rows of each request: some alone, the others with texts of like length."""
    lengths = np.array([len(text) for text in texts.texts])
    order = np.argsort(lengths, kind="stable")
    every = max(len(order) // _ROWS_ALONE, 1)
    blocks = [order[place : place + 1] for place in range(0, len(order), every)]
    rest = [row for place, row in enumerate(order) if place % every]
    while rest:
        count = 1
        while count < min(_ROWS_TOGETHER, len(rest)) and (count + 1) * lengths[rest[count]] <= _BYTES_TOGETHER:
            count += 1
        blocks.append(np.array(rest[:count]))
        rest = rest[count:]
    return blocks
