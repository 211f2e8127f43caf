"""The texts that an export is checked on: raw ones that the model was not trained on, and adversarial ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from textseq.data.sources import load_splits
from textseq.errors import DataError
from textseq.evaluation.loading import Run
from textseq.export.adversarial import adversarial_texts

_MOST = 1000
_TURN = 7  # an adversarial text's pair is the one so many places on


@dataclass(frozen=True)
class CheckedTexts:
    """Texts as a client sends them: bytes.

    Attributes:
        texts: The held-out ones, then the adversarial ones.
        pairs: Second texts; None for runs on single texts.
        held_out: How many are held-out.
        split: Where those come from; None where the dataset cannot be read.
        targets: The held-out texts' labels, as the model is trained on them; None where they have none.
        missing: Why there are no held-out texts.
    """

    texts: list[bytes]
    pairs: list[bytes] | None
    held_out: int
    split: str | None
    targets: np.ndarray | None = None
    missing: str = ""

    def read(self) -> list[Any]:
        """Returns them as `textseq predict` reads them: strings, or pairs of strings."""
        texts = [text.decode("utf-8", "replace") for text in self.texts]
        if self.pairs is None:
            return texts
        return list(zip(texts, (pair.decode("utf-8", "replace") for pair in self.pairs), strict=True))


def checked_texts(run: Run) -> CheckedTexts:
    """Reads up to 1,000 rows of the test split, or of validation where there is none, evenly from all of it."""
    strange = adversarial_texts()
    turned = strange[_TURN:] + strange[:_TURN]
    paired = run.config.data.text_pair is not None
    try:
        name, dataset = _scored_split(run)
    except DataError as error:
        return CheckedTexts(strange, turned if paired else None, 0, None, missing=str(error))
    places = np.unique(np.linspace(0, len(dataset) - 1, min(_MOST, len(dataset))).astype(int))
    rows = dataset.select(places)
    texts = _column(rows, run.config.data.text)
    pairs = [*_column(rows, str(run.config.data.text_pair)), *turned] if paired else None
    return CheckedTexts([*texts, *strange], pairs, len(texts), name, _targets(run, rows))


def whole_split(run: Run) -> CheckedTexts:
    """Reads every row of the test split, or of validation where there is none.

    Raises:
        DataError: The dataset cannot be read.
    """
    name, rows = _scored_split(run)
    texts = _column(rows, run.config.data.text)
    paired = run.config.data.text_pair
    pairs = None if paired is None else _column(rows, paired)
    return CheckedTexts(texts, pairs, len(texts), name, _targets(run, rows))


def _scored_split(run: Run) -> tuple[str, Any]:
    splits = load_splits(run.config.data, run.config.seed)
    return ("test", splits.test) if splits.test is not None else ("validation", splits.validation)


def _column(rows: Any, name: str) -> list[bytes]:
    return [(text or "").encode("utf-8", "replace") for text in rows[name]]


def _targets(run: Run, rows: Any) -> np.ndarray | None:
    try:
        return None if run.labels is None else run.labels.encode(rows)
    except DataError:  # a test split without labels, as benchmarks have them
        return None
