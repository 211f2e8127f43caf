"""What a run keeps of each row: the same whatever the order of the batches, and whole or not at all on disk."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from textseq.config import DataConfig
from textseq.data.encoded import EncodedTexts
from textseq.data.labels import Labels
from textseq.data.tokenizers.base import END_ID, UNKNOWN_ID
from textseq.data.tokenizers.bytes import BytesTokenizer
from textseq.data.windows import Windows
from textseq.errors import RunDirectoryError
from textseq.tasks.base import EncodedSplit
from textseq.tasks.classified_rows import ClassifiedRows
from textseq.tasks.read_rows import ReadRows
from textseq.tasks.rows import RowRecord

DATA = DataConfig(path="json", text="text", label="label")


def split(texts: list[str], targets: Any = None, ids: list[list[int]] | None = None) -> EncodedSplit:
    encoded = EncodedTexts.from_lists(ids or [[9] * len(text) for text in texts])
    return EncodedSplit("test", Dataset.from_dict({"text": texts}), encoded, targets=targets)


def test_a_classifiers_likeliest_classes_are_kept_in_the_datasets_order() -> None:
    targets = np.array([2, 0, 1])
    rows = ClassifiedRows(split(["aa", "b", "ccc"], targets), Labels(tuple("xyz"), False, ("label",)), 0.5)
    probabilities = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0], [0.6, 0.3, 0.1]], np.float32)
    for batch in ([2, 0], [1]):
        rows.update(np.array(batch), probabilities[batch], targets[batch])
    record = rows.record(DATA)
    assert record.arrays["best"].tolist() == [[2, 1, 0], [0, 1, 2], [0, 1, 2]]  # of two equal ones the first, as argmax
    np.testing.assert_allclose(record.arrays["probability"][0], [0.7, 0.2, 0.1])
    np.testing.assert_allclose(record.arrays["loss"], -np.log([0.7, 0.5, 0.3]), rtol=1e-6)
    assert record.arrays["length"].tolist() == [2, 1, 3]
    assert record.about["mistakes"] == [{"row": 2, "texts": ["ccc"]}]


def test_the_surest_mistakes_come_first_and_long_texts_are_cut() -> None:
    targets = np.zeros(3, int)
    rows = ClassifiedRows(split(["a", "b" * 5000, "c"], targets), Labels(("x", "y"), False, ("label",)), 0.5)
    rows.update(np.arange(3), np.array([[0.4, 0.6], [0.1, 0.9], [0.9, 0.1]], np.float32), targets)
    mistakes = rows.record(DATA).about["mistakes"]
    assert [mistake["row"] for mistake in mistakes] == [1, 0]
    assert len(mistakes[0]["texts"][0]) < 1000


def test_with_several_labels_what_is_found_is_counted() -> None:
    targets = np.array([[1, 1, 0], [0, 0, 0]], np.float32)
    rows = ClassifiedRows(split(["a", "b"], targets), Labels(tuple("xyz"), True, ("label",)), 0.5)
    rows.update(np.arange(2), np.array([[0.9, 0.2, 0.8], [0.1, 0.1, 0.1]], np.float32), targets)
    record = rows.record(DATA)
    assert record.arrays["counts"].tolist() == [[1, 2, 2], [0, 0, 0]]
    assert record.arrays["exact"].tolist() == [False, True]
    assert record.arrays["loss"][0] == pytest.approx(-(math.log(0.9) + math.log(0.2) + math.log(0.2)) / 3)


@pytest.mark.parametrize("streams", [1, 3])
def test_a_language_models_costs_are_added_up_by_block_by_place_and_by_frequency(streams: int) -> None:
    generator = np.random.default_rng(0)
    ids = [generator.integers(4, 20, length).tolist() for length in (300, 0, 5, 1)]
    ids[2][0] = UNKNOWN_ID
    texts = split(["x" * 600, "", "é" * 5, "y"], ids=ids)
    windows = Windows(texts.texts, end_id=END_ID, batch_size=streams, window=7)
    counts = np.where(np.arange(260) < 10, 50, 0)  # ids below 10 are known from train
    rows = ReadRows(texts, windows, counts)
    price = np.linspace(1, 2, 260)
    for step, batch in enumerate(windows.epoch(0)):
        rows.update(step, batch["targets"], price[batch["targets"]], batch["weights"])
    record = rows.record(DATA, BytesTokenizer())
    stream = [[*row, END_ID] for row in ids]
    assert record.arrays["block_tokens"].tolist() == [256, 45, 1, 6, 2]
    assert record.arrays["block_row"].tolist() == [0, 0, 1, 2, 3]
    paid = [price[part].sum() for part in (stream[0][:256], stream[0][256:], stream[1], stream[2], stream[3])]
    np.testing.assert_allclose(record.arrays["block_nats"], paid)
    assert record.arrays["bytes"].tolist() == [600, 0, 10, 1]
    first = record.about["by_place"][0]
    assert (first["from"], first["to"], first["tokens"]) == (1, 1, 4)
    assert first["nats"] == pytest.approx(sum(price[row[0]] for row in stream))
    flat = [token for row in stream for token in row if token not in (UNKNOWN_ID, END_ID)]
    found = {(band["from"], band["to"]): band["tokens"] for band in record.about["by_count"]}
    assert found == {(0, 0): sum(token >= 10 for token in flat), (10, 99): sum(token < 10 for token in flat)}
    assert record.about["unknown"] == {"nats": pytest.approx(price[UNKNOWN_ID]), "tokens": 1}
    assert record.about["end"]["tokens"] == 4


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    record = RowRecord({"kind": "one label", "classes": ["日本", "b"]}, {"best": np.array([[1], [0]], np.uint8)})
    record.save(tmp_path / "rows.npz")
    back = RowRecord.load(tmp_path / "rows.npz")
    assert back.about == record.about
    assert back.arrays["best"].dtype == np.uint8
    np.testing.assert_array_equal(back.arrays["best"], record.arrays["best"])
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npz"]


def test_a_record_that_is_missing_or_damaged_is_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    with pytest.raises(RunDirectoryError, match=r"no such file.*--record"):
        RowRecord.load(path)
    RowRecord({}, {"a": np.arange(1000)}).save(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RunDirectoryError, match="is damaged"):
        RowRecord.load(path)
    path.write_bytes(b"no archive")
    with pytest.raises(RunDirectoryError, match="is damaged"):
        RowRecord.load(path)
