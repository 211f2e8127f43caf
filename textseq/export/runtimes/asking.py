"""Texts to a converted model and back, in the gate's blocks: some alone, the others with texts of like length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

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
    blocks = blocks_of(texts)
    firsts, seconds = _read(texts.texts), _read(texts.pairs or [])
    sent = [{"text": [firsts[row] for row in rows]} for rows in blocks]
    if texts.pairs is not None:
        sent = [
            {**block, "text_pair": [seconds[row] for row in rows]} for block, rows in zip(sent, blocks, strict=True)
        ]
    reply = call(item.name, "answer", {"model": str(model), "blocks": sent})
    answers: dict[str, list[Any]] = {name: [None] * len(firsts) for name in reply["outputs"]}
    for rows, block in zip(blocks, reply["answers"], strict=True):
        for name, values in block.items():
            for row, value in zip(rows, values, strict=True):
                answers[name][row] = value
    probabilities = np.array(answers["probabilities"], np.float32)
    decided = _decided(run, probabilities, answers)
    return Replies(probabilities, decided, reply["inputs"], reply["outputs"], reply["packages"])


def _decided(run: Run, probabilities: np.ndarray, answers: dict[str, list[Any]]) -> list[Any]:
    """Returns what the model decided; a model without labels leaves that to the client, who does as is done here."""
    names = run.labels.names if run.labels else ()
    if run.labels is not None and run.labels.multi:
        chosen: Any = answers.get("predicted", probabilities >= getattr(run.task, "threshold", 0.5))
        return [[name for name, has in zip(names, row, strict=True) if has] for row in chosen]
    return answers.get("label", [names[place] for place in probabilities.argmax(axis=1)])


def _read(texts: Sequence[bytes]) -> list[str]:
    return [text.decode("utf-8", "replace") for text in texts]
