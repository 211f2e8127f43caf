"""What the gate compares of a classifier: token ids, probabilities and labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from textseq.data.batches import padded
from textseq.evaluation.loading import Run
from textseq.evaluation.prediction import predict
from textseq.export.differences import refuse
from textseq.export.held_out import CheckedTexts
from textseq.export.recorded import compare_accuracy
from textseq.export.session import Answers, Session

TOLERANCE = 1e-5
_TEXTS_AT_ONCE = 256


def classification_checks(
    session: Session, run: Run, texts: CheckedTexts, blocks: list[np.ndarray], temperature: float
) -> Callable[[Answers], dict[str, Any]]:
    """Asks the session for what is to be compared, and returns a function that compares the answers."""
    asked: dict[str, list[int]] = {}
    for signature in ("token_ids", "serving_default"):
        asked[signature] = [session.ask(signature, inputs_of(texts, rows)) for rows in blocks]

    def finish(answers: Answers) -> dict[str, Any]:
        token_rows = in_order(answers, asked["token_ids"], blocks, "token_ids")
        lengths = in_order(answers, asked["token_ids"], blocks, "length")
        ids = [row[:length] for row, length in zip(token_rows, lengths, strict=True)]
        set_aside = _compare_token_ids(run, texts, ids)
        given = answers[asked["serving_default"][0]]
        names: list[str] = [name for name in ("probabilities", "label", "predicted") if name in given]
        served = {name: in_order(answers, asked["serving_default"], blocks, name) for name in names}
        compared = _compare_answers(run, texts, served, temperature, set_aside)
        return {**compared, "cut_in_two_ways": len(set_aside)}

    return finish


def inputs_of(texts: CheckedTexts, rows: np.ndarray) -> dict[str, Any]:
    """Returns the inputs of a request for some rows."""
    inputs = {"text": [texts.texts[row] for row in rows]}
    if texts.pairs is not None:
        inputs["text_pair"] = [texts.pairs[row] for row in rows]
    return inputs


def in_order(answers: Answers, numbers: list[int], blocks: list[np.ndarray], name: str) -> list[Any]:
    """Returns an output's rows in the order of the texts."""
    found: list[Any] = [None] * sum(len(rows) for rows in blocks)
    for number, rows in zip(numbers, blocks, strict=True):
        for row, value in zip(rows, answers[number][name], strict=True):
            found[row] = value
    return found


def _compare_token_ids(run: Run, texts: CheckedTexts, served: list[np.ndarray]) -> set[int]:
    """Returns the rows whose texts can be cut in two equally likely ways, of which the export takes the other."""
    task: Any = run.task
    set_aside = set()
    read = texts.read()
    for begin in range(0, len(read), _TEXTS_AT_ONCE):
        part = read[begin : begin + _TEXTS_AT_ONCE]
        firsts = [item if isinstance(item, str) else item[0] for item in part]
        pairs = None if texts.pairs is None else run.tokenizer.encode([item[1] for item in part])
        ids = [np.asarray(row) for row in run.tokenizer.encode(firsts)]
        pairs = pairs and [np.asarray(row) for row in pairs]
        batch = padded(ids, pairs, size=len(part), max_length=task.max_length, truncate=task.truncate)
        for row, (text, right) in enumerate(zip(part, batch["token_ids"], strict=True), begin):
            right, found = right[right != 0], served[row]
            if np.array_equal(right, found):
                continue
            if not run.tokenizer.equally_likely(right.tolist(), found.tolist()):
                raise refuse(text, "the token ids", trained=right.tolist(), exported=found.tolist())
            set_aside.add(row)
    return set_aside


def _compare_answers(
    run: Run, texts: CheckedTexts, served: dict[str, list[Any]], temperature: float, set_aside: set[int]
) -> dict[str, Any]:
    largest, ties, decided = 0.0, 0, []
    for row, (text, answer) in enumerate(zip(texts.read(), predict(run, texts.read()), strict=True)):
        right = _calibrated(np.array(list(answer["probabilities"].values())), temperature)
        found = served["probabilities"][row]
        wanted, given, close = _decisions(run, answer, served, row, right)
        decided.append(given)
        if row in set_aside:
            continue
        difference = float(np.abs(found - right).max())
        if not difference <= TOLERANCE:
            raise refuse(text, "the probabilities", trained=right.tolist(), exported=found.tolist())
        largest = max(largest, difference)
        if wanted != given and not close:
            raise refuse(text, "the labels", trained=wanted, exported=given)
        ties += wanted != given
    accuracy = compare_accuracy(run, texts, decided)
    return {
        "largest_probability_difference": largest,
        "tolerance": TOLERANCE,
        "ties": int(ties),
        "held_out_accuracy": accuracy,
    }


def _decisions(
    run: Run, answer: dict[str, Any], served: dict[str, list[Any]], row: int, right: np.ndarray
) -> tuple[Any, Any, bool]:
    """Returns what the run decides, what the export decides, and whether it was a toss-up."""
    if "predicted" in served:
        names = run.labels.names if run.labels else ()
        given = [name for name, chosen in zip(names, served["predicted"][row], strict=True) if chosen]
        threshold = getattr(run.task, "threshold", 0.5)
        return answer["labels"], given, bool(np.abs(right - threshold).min() <= TOLERANCE)
    low, high = np.sort(right)[-2:]
    return answer["label"], served["label"][row].decode(), bool(high - low <= TOLERANCE)


def _calibrated(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    if temperature == 1:
        return probabilities
    scores = np.log(np.maximum(probabilities, 1e-38)) / temperature
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()
