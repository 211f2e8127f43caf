"""Texts to a converted model and back, in the gate's blocks: some alone, the others with texts of like length.

A model of token ids gets them as the tokenizer beside it makes them, each text alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from textseq.data.batches import padded
from textseq.evaluation.loading import Run
from textseq.export.gate import blocks_of
from textseq.export.held_out import CheckedTexts
from textseq.export.runtimes.formats import RuntimeFormat
from textseq.export.runtimes.process import call


@dataclass(frozen=True)
class Replies:
    """What a model answered.

    Attributes:
        probabilities: Of each text. `(texts, classes)`
        decided: Of each text the class's name, or with several labels a row a list of them.
        inputs: The names of the model's inputs.
        outputs: And of its outputs.
        packages: The runtime's, with their versions.
    """

    probabilities: np.ndarray
    decided: list[Any]
    inputs: list[str]
    outputs: list[str]
    packages: dict[str, str]


def sendable(item: RuntimeFormat, texts: CheckedTexts) -> CheckedTexts:
    """Returns the texts that the runtime's Python binding hands over as they are."""
    firsts, seconds = _read(texts.texts), _read(texts.pairs or texts.texts)
    places = [row for row, both in enumerate(zip(firsts, seconds, strict=True)) if all(map(item.takes, both))]
    held_out = sum(row < texts.held_out for row in places)
    targets = None if texts.targets is None else texts.targets[places[:held_out]]
    pairs = None if texts.pairs is None else [texts.pairs[row] for row in places]
    return replace(texts, texts=[texts.texts[row] for row in places], pairs=pairs, held_out=held_out, targets=targets)


def ask(item: RuntimeFormat, model: Path, run: Run, texts: CheckedTexts) -> Replies:
    """Asks a model in a clean process.

    Raises:
        RunFailedError: It does not load, or fails at a text.
    """
    blocks: list[Any] = blocks_of(texts) if item.reads == "texts" else [[row] for row in range(len(texts.texts))]
    sent = _texts(texts, blocks) if item.reads == "texts" else _token_ids(run, texts)
    reply = call(item.name, "answer", {"model": str(model), "blocks": sent})
    answers: dict[str, list[Any]] = {name: [None] * len(texts.texts) for name in reply["outputs"]}
    for rows, block in zip(blocks, reply["answers"], strict=True):
        for name, values in block.items():
            for row, value in zip(rows, values, strict=True):
                answers[name][row] = value
    probabilities = np.array(answers["probabilities"], np.float32)
    decided = _decided(run, probabilities, answers)
    return Replies(probabilities, decided, reply["inputs"], reply["outputs"], reply["packages"])


def _texts(texts: CheckedTexts, blocks: list[Any]) -> list[dict[str, list[str]]]:
    columns = {"text": _read(texts.texts)}
    if texts.pairs is not None:
        columns["text_pair"] = _read(texts.pairs)
    return [{name: [column[row] for row in rows] for name, column in columns.items()} for rows in blocks]


def _token_ids(run: Run, texts: CheckedTexts) -> list[dict[str, Any]]:
    """Returns the ids of each text, and of pairs which text each is of; as a client makes them with the tokenizer."""
    task: Any = run.task
    firsts = [np.asarray(ids) for ids in run.tokenizer.encode(_read(texts.texts))]
    pairs = run.tokenizer.encode(_read(texts.pairs)) if texts.pairs is not None else []
    rows: list[dict[str, Any]] = []
    for row, first in enumerate(firsts):
        second = [np.asarray(pairs[row])] if texts.pairs is not None else None
        batch = padded([first], second, size=1, max_length=task.max_length, truncate=task.truncate)
        length = np.count_nonzero(batch["token_ids"][0])
        columns = [name for name in ("token_ids", "segment_ids") if name in batch]
        rows.append({name: np.asarray(batch[name])[:, :length].tolist() for name in columns})
    return rows


def _decided(run: Run, probabilities: np.ndarray, answers: dict[str, list[Any]]) -> list[Any]:
    """Returns what the model decided; a model without labels leaves that to the client, who does as is done here."""
    names = run.labels.names if run.labels else ()
    if run.labels is not None and run.labels.multi:
        chosen: Any = answers.get("predicted", probabilities >= getattr(run.task, "threshold", 0.5))
        return [[name for name, has in zip(names, row, strict=True) if has] for row in chosen]
    return answers.get("label", [names[place] for place in probabilities.argmax(axis=1)])


def _read(texts: Sequence[bytes]) -> list[str]:
    return [text.decode("utf-8", "replace") for text in texts]
