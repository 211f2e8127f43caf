"""A trained and exported classifier behind `textseq serve`: whoever asks it over REST gets what `predict` says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from textseq.cli import main

TEXTS = ["an old cat", "the new drill is here", "there we saw a hen and a horse", "a hammer", "", "猫 caf\u00e9 🙂 cow"]


def predicted(run: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(["predict", str(run), *TEXTS, "--json"])
    captured = capsys.readouterr()
    assert ended.value.code == 0, captured.err
    return [json.loads(line) for line in captured.out.splitlines()]


def test_served_labels_are_those_of_predict(
    start: Callable[..., Any], exported_classifier: Path, classifier_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = predicted(classifier_run, capsys)
    assert {answer["label"] for answer in expected} == {"animal", "tool"}
    with start(exported_classifier) as server:
        rows = server.predict({"instances": TEXTS})
        columns = server.predict({"inputs": TEXTS})
    assert [rows[0], columns[0]] == [200, 200]
    labels = [answer["label"] for answer in expected]
    assert [row["label"] for row in rows[1]["predictions"]] == labels
    assert columns[1]["outputs"]["label"] == labels
    for row, answer in zip(rows[1]["predictions"], expected, strict=True):
        served = dict(zip(row["labels"], row["probabilities"], strict=True))
        assert served == pytest.approx(answer["probabilities"], abs=1e-5)
