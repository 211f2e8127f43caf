"""The losses and row weights of classification, by a second formula; what tasks refuse to do."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from keras import ops

from textseq.config import Component, DataConfig, RunConfig
from textseq.data.encoded import EncodedTexts
from textseq.data.labels import Labels
from textseq.data.tokenizers.bytes import BytesTokenizer
from textseq.data.tokenizers.sentencepiece import SentencePieceTokenizer
from textseq.errors import UsageError
from textseq.tasks.base import EncodedSplit, Prepared
from textseq.tasks.classification import Classification, SmoothedCrossentropy
from textseq.tasks.language_modeling import LanguageModeling

LOGITS = np.array([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0]], "float32")
TARGETS = np.array([0, 2], "int32")
CONFIG = RunConfig("a", DataConfig("x", label="label"), Component("gru", {"units": 4}), Component("classification"))


def log_probabilities() -> np.ndarray:
    return LOGITS - np.log(np.exp(LOGITS).sum(1, keepdims=True))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_smoothing_shares_a_part_of_the_target_among_all_classes(smoothing: float) -> None:
    wanted = np.full((2, 3), smoothing / 3)
    wanted[[0, 1], TARGETS] += 1 - smoothing
    loss = SmoothedCrossentropy(3, smoothing).call(TARGETS[:, None], LOGITS)
    np.testing.assert_allclose(ops.convert_to_numpy(loss), -(wanted * log_probabilities()).sum(1), rtol=1e-6)


def test_rows_of_weight_0_count_nothing() -> None:
    loss = SmoothedCrossentropy(3)(TARGETS, LOGITS, sample_weight=np.array([1.0, 0.0], "float32"))
    assert float(loss) == pytest.approx(-log_probabilities()[0, 0])


def batches_of(task: Classification, targets: list[int]) -> list[dict[str, np.ndarray]]:
    texts = EncodedTexts.from_lists([[5]] * len(targets))
    labels = Labels(("a", "b", "c"), multi=False, columns=("label",))
    split = EncodedSplit("train", SimpleNamespace(), texts, targets=np.array(targets, np.int32))
    return list(task.training_batches(Prepared(CONFIG, BytesTokenizer(), labels, {"train": split})).epoch(0))


def test_balanced_rows_of_each_class_weigh_the_same_together() -> None:
    targets = [0] * 6 + [1] * 3 + [2]
    (batch,) = batches_of(Classification(class_weights="balanced"), targets)
    weights = batch["weights"][:10]
    sums = [weights[batch["labels"][:10] == label].sum() for label in range(3)]
    assert sums == pytest.approx([10 / 3] * 3)
    assert not batch["weights"][10:].any()  # fillers


@pytest.mark.parametrize(
    ("multi", "stream", "says"),
    [(True, None, "needs rows of one class each"), (False, [], "counts the classes of all rows, which no stream has")],
)
def test_balance_is_refused_where_no_classes_can_be_counted(multi: bool, stream: Any, says: str) -> None:
    labels = Labels(("a", "b"), multi=multi, columns=("label",))
    split = EncodedSplit("train", SimpleNamespace(), EncodedTexts.from_lists([[5]]), stream=stream)
    task = Classification(class_weights="balanced")
    with pytest.raises(UsageError, match=rf"^task\.class_weights: {says}\. Received: 'balanced'\."):
        task.training_batches(Prepared(CONFIG, BytesTokenizer(), labels, {"train": split}))


def test_a_language_model_refuses_to_sample_subwords() -> None:
    split = EncodedSplit("train", SimpleNamespace(), EncodedTexts.from_lists([[5, 6]]))
    prepared = Prepared(CONFIG, SentencePieceTokenizer(sampling=0.1), None, {"train": split})
    with pytest.raises(UsageError, match=r"^tokenizer: samples subwords.*Set tokenizer\.sampling to 0\.$"):
        LanguageModeling().training_batches(prepared)


def test_unweighted_rows_weigh_1() -> None:
    (batch,) = batches_of(Classification(), [0, 1, 2])
    assert batch["weights"].tolist() == [1.0] * 3 + [0.0] * 61
