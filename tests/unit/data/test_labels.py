"""Labels of every kind a dataset brings, as numbers of classes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import datasets
import numpy as np
import pytest

from textseq.config import DataConfig
from textseq.data.labels import Labels
from textseq.errors import DataError


def fitted(values: Any, feature: Any = None, label: Any = "label") -> tuple[Labels, Any]:
    columns = values if isinstance(values, dict) else {"label": values}
    rows = datasets.Dataset.from_dict(columns)
    if feature is not None:
        rows = rows.cast_column("label", feature)
    return Labels.fit(SimpleNamespace(train=rows, sample=rows), DataConfig("x", label=label)), rows


def test_class_labels_keep_their_names_and_order() -> None:
    labels, rows = fitted([1, 0, 1], datasets.ClassLabel(names=["bad", "good"]))
    assert labels.names == ("bad", "good")
    assert labels.encode(rows).tolist() == [1, 0, 1]


def test_words_are_ordered_by_the_alphabet() -> None:
    labels, rows = fitted(["dog", "cat", "dog"])
    assert labels.names == ("cat", "dog")
    assert labels.encode(rows).tolist() == [1, 0, 1]


def test_numbers_are_ordered_by_size() -> None:
    labels, rows = fitted([10, 9, 10])
    assert labels.names == ("9", "10")
    assert labels.encode(rows).tolist() == [1, 0, 1]


def test_whole_floats_and_truths_are_classes() -> None:
    assert fitted([1.0, 0.0])[0].names == ("0", "1")
    assert fitted([True, False])[0].names == ("False", "True")


def test_lists_are_several_labels_a_row() -> None:
    labels, rows = fitted([["a", "b"], [], ["b"]])
    assert labels.multi
    assert labels.encode(rows).tolist() == [[1, 1], [0, 0], [0, 1]]


def test_lists_of_class_labels_are_several_labels_a_row() -> None:
    feature = datasets.List(datasets.ClassLabel(names=["x", "y", "z"]))
    labels, rows = fitted([[0, 2], [1]], feature)
    assert labels.names == ("x", "y", "z")
    assert labels.encode(rows).tolist() == [[1, 0, 1], [0, 1, 0]]


def test_several_columns_are_several_labels() -> None:
    labels, rows = fitted({"toxic": [1, 0], "rude": [True, True]}, label=["toxic", "rude"])
    assert (labels.names, labels.multi) == (("toxic", "rude"), True)
    assert labels.encode(rows).tolist() == [[1, 1], [0, 1]]


def test_a_list_of_one_column_is_one_class_that_rows_have_or_not() -> None:
    labels, rows = fitted({"toxic": [1, 0], "rude": [0, 0]}, label=["toxic"])
    assert (labels.names, labels.multi) == (("toxic",), True)
    assert labels.encode(rows).tolist() == labels.encode_columns(rows[:]).tolist() == [[1], [0]]


def test_what_is_written_reads_back() -> None:
    labels, rows = fitted(["b", "a"])
    again = Labels.from_json(labels.to_json())
    assert again == labels
    np.testing.assert_array_equal(again.encode(rows), labels.encode(rows))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["a", None], "row 1: has no label"),
        ([1.5, float("nan")], "row 1: has no label"),
        ([0, -1], "row 1: is unlabelled"),
        (["a", "a"], "one class only"),
    ],
)
def test_labels_that_are_none_are_refused(values: Any, says: str) -> None:
    with pytest.raises(DataError, match=says):
        fitted(values)


def test_a_class_that_was_not_learned_is_named() -> None:
    labels, _ = fitted(["cat", "saw"])
    with pytest.raises(DataError, match=r"row 1: Unknown class 'cta'\. Did you mean 'cat'"):
        labels.encode(datasets.Dataset.from_dict({"label": ["saw", "cta"]}))


def test_unlabelled_rows_of_a_class_label_are_refused() -> None:
    labels, _ = fitted([1, 0], datasets.ClassLabel(names=["a", "b"]))
    with pytest.raises(DataError, match="-1 stands for unlabelled"):
        labels.encode(datasets.Dataset.from_dict({"label": [-1]}))
