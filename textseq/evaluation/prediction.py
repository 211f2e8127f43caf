"""Labels for texts that arrive one after the other, in memory that does not grow with how many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from textseq.data.batches import evaluation_batches
from textseq.data.encoded import EncodedTexts
from textseq.evaluation.loading import Run

_TEXTS_AT_ONCE = 4096
_BATCH_SIZE = 128

Text = str | tuple[str, str]


def predict(run: Run, texts: Iterable[Text]) -> Iterator[dict[str, Any]]:
    """Labels texts, in their order.

    Texts are taken a few thousand at a time and batched by length, so that short ones do not wait on long ones.

    Args:
        run: A classification run.
        texts: Strings, or pairs of them where the run was trained on pairs.

    Yields:
        `{"text", "label", "probabilities": {class: probability}}`; `text_pair` too for pairs, `labels` in place of
        `label` where a text may have several.
    """
    texts = iter(texts)
    while chunk := list(islice(texts, _TEXTS_AT_ONCE)):
        probabilities = _probabilities(run, chunk)
        for text, row in zip(chunk, probabilities, strict=True):
            yield _answer(run, text, row)


def _probabilities(run: Run, chunk: list[Text]) -> np.ndarray:
    """Returns the probabilities of a chunk's classes. `(texts, classes)`."""
    firsts = [text if isinstance(text, str) else text[0] for text in chunk]
    pairs = None if isinstance(chunk[0], str) else [text[1] for text in chunk]
    encoded = EncodedTexts.from_lists(run.tokenizer.encode(firsts))
    pair = None if pairs is None else EncodedTexts.from_lists(run.tokenizer.encode(pairs))
    task: Any = run.task
    function = task.probabilities(run.model, run.labels)
    result = np.zeros((len(chunk), len(run.labels.names) if run.labels else 0), np.float32)
    for batch in evaluation_batches(
        encoded, None, pair=pair, batch_size=_BATCH_SIZE, max_length=task.max_length, truncate=task.truncate
    ):
        inputs = {name: batch[name] for name in ("token_ids", "segment_ids") if name in batch}
        real = batch["rows"] >= 0
        result[batch["rows"][real]] = np.asarray(function(inputs))[real]
    return result


def _answer(run: Run, text: Text, row: np.ndarray) -> dict[str, Any]:
    names = run.labels.names if run.labels else ()
    answer: dict[str, Any] = {"text": text} if isinstance(text, str) else {"text": text[0], "text_pair": text[1]}
    if run.labels and run.labels.multi:
        threshold = getattr(run.task, "threshold", 0.5)
        answer["labels"] = [name for name, value in zip(names, row, strict=True) if value >= threshold]
    else:
        answer["label"] = names[int(row.argmax())]
    answer["probabilities"] = {name: float(value) for name, value in zip(names, row, strict=True)}
    return answer
