"""A run's recorded scores, held against its export's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textseq.data.labels import Labels
from textseq.errors import RunFailedError
from textseq.export.adversarial import adversarial_texts
from textseq.export.gate import blocks_of
from textseq.export.held_out import CheckedTexts
from textseq.export.recorded import compare_accuracy, compare_loss
from textseq.rundir import RunDirectory


class FakeRun:
    """As much of a run as the comparison looks at."""

    def __init__(self, path: Path, scores: dict[str, float]) -> None:
        (path / "scores.json").write_text(json.dumps({"test": scores}))
        self.directory = RunDirectory(path)
        self.labels = Labels(("no", "yes"), multi=False, columns=("label",))


def checked(count: int, targets: np.ndarray | None = None) -> CheckedTexts:
    return CheckedTexts([b"text"] * count + [b"strange"], None, count, "test", targets)


def decided(targets: np.ndarray, wrong: int) -> list[str]:
    return [("no", "yes")[int(target) ^ (row < wrong)] for row, target in enumerate(targets)] + ["no"]


def test_an_accuracy_within_chance_passes_and_one_beyond_does_not(tmp_path: Path) -> None:
    run: Any = FakeRun(tmp_path, {"accuracy": 0.9})
    targets = np.arange(100) % 2
    # four standard errors of 0.9 over 100 texts are 0.12, and two texts 0.02: 0.76 is the edge
    assert compare_accuracy(run, checked(100, targets), decided(targets, 23)) == pytest.approx(0.77)
    with pytest.raises(
        RunFailedError, match=r"right on 75\.0% of the test split's texts, in training it was on 90\.0%"
    ):
        compare_accuracy(run, checked(100, targets), decided(targets, 25))


def test_a_loss_far_beyond_the_recorded_one_is_refused(tmp_path: Path) -> None:
    run: Any = FakeRun(tmp_path, {"loss": 2.0})
    tokens = np.array([10.0, 10.0, 0.0])
    assert compare_loss(run, checked(2), np.array([-30.0, -50.0, -9.0]), tokens) == pytest.approx(4.0)
    with pytest.raises(RunFailedError, match=r"needs 4\.05 nats a token .* in training it needed 2\.00"):
        compare_loss(run, checked(2), np.array([-31.0, -50.0, 0.0]), tokens)


def test_without_a_record_or_labels_nothing_is_compared(tmp_path: Path) -> None:
    run: Any = FakeRun(tmp_path, {})
    assert compare_accuracy(run, checked(2, np.array([0, 1])), ["no", "no", "no"]) is None
    assert compare_loss(run, checked(2), np.zeros(3), np.ones(3)) is None
    labelled: Any = FakeRun(tmp_path, {"accuracy": 1.0})
    assert compare_accuracy(labelled, checked(2, None), ["no", "no", "no"]) is None


def test_adversarial_texts_are_300_and_always_the_same() -> None:
    texts = adversarial_texts()
    assert len(texts) == 300
    assert texts == adversarial_texts()
    assert len(set(texts)) > 270
    broken = [text for text in texts if text.decode("utf-8", "replace").encode() != text]
    assert 50 < len(broken) < 150
    assert max(len(text) for text in texts) >= 20_000
    assert {b"", b"\x00"} <= set(texts)


def test_every_text_is_asked_once_some_alone_and_none_in_blocks_of_whole_registers() -> None:
    texts = CheckedTexts([b"x" * (number % 50) for number in range(1000)] + [b"x" * 20_000] * 9, None, 1000, "test")
    blocks = blocks_of(texts)
    assert sorted(np.concatenate(blocks).tolist()) == list(range(1009))
    assert sum(len(block) == 1 for block in blocks) >= 16
    sizes = [len(block) * max(len(texts.texts[row]) for row in block) for block in blocks]
    assert max(sizes) <= 60_000
    assert not [len(block) for block in blocks if len(block) >= 16 and len(block) % 16 == 0]
