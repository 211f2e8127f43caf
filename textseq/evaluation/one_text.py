"""One text as a run's model reads it, token by token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from textseq.data.batches import padded
from textseq.data.tokenizers.base import START_ID
from textseq.data.tokenizers.surfaces import surfaces
from textseq.evaluation.loading import Run

Text = str | tuple[str, str]


@dataclass(frozen=True)
class OneText:
    """A text, tokenised.

    Attributes:
        batch: What the model takes, with one row: `token_ids` and, for pairs, `segment_ids`. `(1, time)`
        tokens: The piece of text that each real step stands for; padding has none.
    """

    batch: dict[str, np.ndarray]
    tokens: list[str]

    def without_padding(self) -> dict[str, np.ndarray]:
        """Returns the batch cut to its real steps."""
        return {name: array[:, : len(self.tokens)] for name, array in self.batch.items()}


def read_text(run: Run, text: Text) -> OneText:
    """Reads a text as `textseq predict` does, cut to `task.max_length`, or as a language model does, from its start.

    Args:
        run: A classification or language modelling run.
        text: A string, or a pair where the run was trained on pairs.
    """
    parts = [text] if isinstance(text, str) else list(text)
    rows = [np.asarray(ids, np.int32) for ids in run.tokenizer.encode(parts)]
    task: Any = run.task
    if not task.labelled:
        batch: dict[str, np.ndarray] = {"token_ids": np.array([[START_ID, *rows[0]]], np.int32)}
    else:
        pair = rows[1:] or None
        batch = padded(rows[:1], pair, size=1, max_length=task.max_length, truncate=task.truncate)
    ids = batch["token_ids"][0]
    return OneText(batch, surfaces(run.tokenizer, ids[: int(np.count_nonzero(ids))]))
