"""What an export says of itself: `assets.extra/textseq.json`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textseq.data.tokenizers.base import END_ID, PAD_ID, START_ID, UNKNOWN_ID
from textseq.evaluation.loading import Run
from textseq.export.endpoint import Endpoint, Input
from textseq.training.environment import environment

FORMAT_VERSION = 1
_TEXT_OPS = {"SentencepieceOp", "SentencepieceTokenizeOp", "SentencepieceDetokenizeOp"}


def report(
    run: Run, endpoints: Sequence[Endpoint], *, gate: dict[str, Any], facts: dict[str, Any], temperature: float
) -> dict[str, Any]:
    """Returns it, JSON-serialisable.

    Args:
        run: What the export was made from.
        endpoints: Its signatures.
        gate: What was compared.
        facts: What the graph asks of a server.
        temperature: Of a calibrated classifier; 1 otherwise.
    """
    directory = run.directory
    return {
        "format_version": FORMAT_VERSION,
        "name": run.config.name,
        "task": run.config.task.name,
        "labels": None if run.labels is None else {"names": list(run.labels.names), "multi": run.labels.multi},
        "temperature": temperature,
        "tokenizer": {
            "name": run.config.tokenizer.name,
            "vocabulary_size": run.tokenizer.vocabulary_size,
            "special_ids": {"padding": PAD_ID, "unknown": UNKNOWN_ID, "start": START_ID, "end": END_ID},
        },
        "signatures": {endpoint.name: _described(endpoint) for endpoint in endpoints},
        "gate": gate,
        "serving": _serving(facts),
        "scores": directory.read_json("scores.json") if directory.scores.is_file() else None,
        "plugins": directory.read_json("plugins.json") if directory.plugins.is_file() else [],
        "config": run.config.to_dict(),
        "trained_with": directory.read_json("environment.json") if directory.environment.is_file() else None,
        "exported_with": environment(),
    }


def _described(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "doc": endpoint.doc,
        "inputs": {item.spec.name: _input(item) for item in endpoint.inputs},
        "outputs": dict(endpoint.outputs),
    }


def _input(item: Input) -> dict[str, Any]:
    return {"dtype": item.spec.dtype.name, "shape": item.spec.shape.as_list(), "doc": item.doc}


def _serving(facts: dict[str, Any]) -> dict[str, Any]:
    """Returns which ops and which graph version a server must know.

    Servers link TensorFlow Text's ops since TensorFlow Serving 2.12, and SentencePiece's have not changed since.
    """
    foreign = set(facts["foreign_ops"])
    if not foreign:
        oldest, why = (
            None,
            "TensorFlow's own ops only: servers of its version and later, and earlier ones that know them",
        )
    elif foreign <= _TEXT_OPS:
        oldest, why = "2.12", "SentencePiece's ops, which servers link since then"
    else:
        oldest, why = None, "ops that no stock server has"
    return {
        "foreign_ops": sorted(foreign),
        "graph_version": facts["graph_version"],
        "oldest_graph_reader": facts["oldest_graph_reader"],
        "oldest_tensorflow_serving": oldest,
        "why": why,
    }
