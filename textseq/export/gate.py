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
from textseq.export.endpoint import Endpoint, one_row
from textseq.export.gate_classification import classification_checks
from textseq.export.gate_language_model import language_model_checks
from textseq.export.held_out import CheckedTexts
from textseq.export.session import Session

_ROWS_TOGETHER = 64


def check(
    folder: Path, run: Run, endpoints: Sequence[Endpoint], texts: CheckedTexts, *, temperature: float = 1.0
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Compares an export with its run.

    Args:
        folder: The SavedModel's.
        run: What it was made from, in the precision of the export.
        endpoints: Its signatures; each is called with its example too.
        texts: What both are asked.
        temperature: Of a calibrated classifier.

    Returns:
        What was compared, for the report, and what the graph asks of a server.

    Raises:
        RunFailedError: They differ; shows the first text at which they do. Or the export does not load.
    """
    session = Session(folder)
    for endpoint in endpoints:
        session.ask(endpoint.name, {item.spec.name: one_row(item) for item in endpoint.inputs})
    blocks = _blocks(texts)
    if run.labels is not None:
        finish: Callable[..., dict[str, Any]] = classification_checks(session, run, texts, blocks, temperature)
    else:
        finish = language_model_checks(session, run, texts, blocks, state_names=_state_names(endpoints))
    report = finish(session.run())
    if session.facts["barred_modules_loaded"]:
        raise RunFailedError(problem("export", "needs Python modules to load", received=session.facts))
    counts = {"held_out": texts.held_out, "split": texts.split, "adversarial": len(texts.texts) - texts.held_out}
    return {**counts, **report}, session.facts


def _state_names(endpoints: Sequence[Endpoint]) -> list[str]:
    """Returns the parts of a language model's state."""
    steps = (endpoint for endpoint in endpoints if endpoint.name == "step")
    return [item.spec.name for endpoint in steps for item in endpoint.inputs if item.spec.name != "token_ids"]


def _blocks(texts: CheckedTexts) -> list[np.ndarray]:
    """Returns the rows of each request: texts of like length together."""
    order = np.argsort([len(text) for text in texts.texts], kind="stable")
    return [order[cut : cut + _ROWS_TOGETHER] for cut in range(0, len(order), _ROWS_TOGETHER)]
