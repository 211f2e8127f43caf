"""Rows from every place they may lie in, and which of them are held out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from textseq.config import DataConfig
from textseq.data.audit import audit, lines
from textseq.data.held_out import held_out_rows
from textseq.data.labels import Labels
from textseq.data.sources import load_splits
from textseq.errors import DataError

ROWS = [{"text": f"text {i}", "label": "ab"[i % 2], "id": i} for i in range(40)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = datasets.Dataset.from_list(ROWS)
    rows.to_json(tmp_path / "rows.jsonl")
    rows.to_csv(tmp_path / "rows.csv")
    rows.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "rows.txt").write_text("".join(f"{row['text']}\n" for row in ROWS))
    datasets.DatasetDict({"train": rows, "test": rows.select(range(4))}).save_to_disk(tmp_path / "saved")
    rows.save_to_disk(tmp_path / "one")
    (tmp_path / "plain").mkdir()
    for split in ("train", "test"):
        (tmp_path / "plain" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS[:10]))
    return tmp_path


@pytest.mark.parametrize("kind", ["json", "csv", "parquet", "text"])
def test_files_of_every_kind_give_the_same_rows(kind: str, folder: Path) -> None:
    name = {"json": "rows.jsonl", "text": "rows.txt"}.get(kind, f"rows.{kind}")
    label = None if kind == "text" else "label"
    splits = load_splits(DataConfig(kind, data_files=str(folder / name), label=label), seed=0)
    assert splits.held_out
    assert sorted([*splits.train["text"], *splits.validation["text"]]) == sorted(row["text"] for row in ROWS)


@pytest.mark.parametrize(("name", "rows"), [("saved", 4), ("one", None), ("plain", 10)])
def test_folders_of_every_kind_are_read(name: str, rows: int | None, folder: Path) -> None:
    splits = load_splits(DataConfig(str(folder / name), label="label"), seed=0)
    assert (None if splits.test is None else len(splits.test)) == rows
    assert splits.train.column_names == ["text", "label"]  # only what the config names


def test_a_hub_id_is_read_from_the_mirror(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "owner").mkdir()
    (folder / "plain").rename(folder / "owner" / "name")
    monkeypatch.setenv("TEXTSEQ_DATASETS_MIRROR", str(folder))
    splits = load_splits(DataConfig("owner/name", revision="v1", label="label"), seed=0)
    assert len(splits.test) == 10
    with pytest.raises(DataError, match=r"owner/other"):
        load_splits(DataConfig("owner/other", label="label"), seed=0)


def test_splits_of_files_may_have_other_columns_beside(folder: Path) -> None:
    (folder / "test.jsonl").write_text('{"label": "a", "text": "x", "source": "elsewhere"}\n')
    files: dict[str, Any] = {"train": str(folder / "rows.jsonl"), "test": str(folder / "test.jsonl")}
    splits = load_splits(DataConfig("json", data_files=files, label="label"), seed=0)
    assert splits.test["text"] == ["x"]


def test_splits_are_named_anew_and_left_out(folder: Path) -> None:
    data = DataConfig(str(folder / "saved"), label="label", splits={"validation": "test", "test": None})
    splits = load_splits(data, seed=0)
    assert (len(splits.validation), splits.test, splits.held_out) == (4, None, False)


def test_max_rows_takes_a_seeded_sample(folder: Path) -> None:
    data = DataConfig("json", data_files=str(folder / "rows.jsonl"), label="label", max_rows=7)
    first, again, other = (load_splits(data, seed=seed).train["text"] for seed in (0, 0, 1))
    assert len(first) == 7
    assert list(first) == list(again)
    assert list(first) != list(other)


def test_a_tenth_of_every_class_is_held_out() -> None:
    rows = datasets.Dataset.from_dict({"text": [str(i) for i in range(200)], "label": ["a"] * 150 + ["b"] * 50})
    train, validation = held_out_rows(rows, DataConfig("x", label="label"), seed=0)
    assert sorted([*train["text"], *validation["text"]]) == sorted(rows["text"])
    assert np.unique(validation["label"], return_counts=True)[1].tolist() == [15, 5]


def test_a_class_of_one_row_stays_in_train() -> None:
    rows = datasets.Dataset.from_dict({"text": [str(i) for i in range(30)], "label": ["rare", *["a"] * 29]})
    for seed in range(5):
        train, _ = held_out_rows(rows, DataConfig("x", label="label", validation_fraction=0.5), seed=seed)
        assert "rare" in train["label"]


def test_what_is_held_out_follows_from_the_seed() -> None:
    rows = datasets.Dataset.from_dict({"text": [str(i) for i in range(100)], "label": ["a", "b"] * 50})
    drawn = [list(held_out_rows(rows, DataConfig("x", label="label"), seed=seed)[1]["text"]) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_text_without_labels_is_cut_at_its_end() -> None:
    rows = datasets.Dataset.from_dict({"text": list("abcdefghij")})
    train, validation = held_out_rows(rows, DataConfig("x", validation_fraction=0.2), seed=0)
    assert ("".join(train["text"]), "".join(validation["text"])) == ("abcdefgh", "ij")
    train, validation = held_out_rows(datasets.Dataset.from_dict({"text": ["abcdefghij"]}), DataConfig("x"), seed=0)
    assert (train["text"][0], validation["text"][0]) == ("abcdefghi", "j")


def test_the_audit_counts_what_is_odd() -> None:
    train = datasets.Dataset.from_dict({"text": ["a", "a", "", "b", "c"], "label": ["x", "y", "x", "x", "x"]})
    test = datasets.Dataset.from_dict({"text": ["b", "d"], "label": ["x", "y"]})

    class Splits:
        held_out = streamed = False

        def items(self) -> Any:
            return [("train", self.train), ("test", self.test)]

    splits = Splits()
    splits.train, splits.sample, splits.test = train, train, test  # type: ignore[attr-defined]
    data = DataConfig("x", label="label")
    report = audit(
        splits, data, Labels.fit(splits, data), {"train": np.array([1, 1, 0, 1, 1]), "test": np.array([1, 1])}
    )
    assert report["splits"]["train"] | {"length_quantiles": None} == {
        "rows": 5,
        "empty": 1,
        "duplicates": 1,
        "in_train": 0,
        "tokens": 4,
        "length_quantiles": None,
    }
    assert report["splits"]["test"]["in_train"] == 1
    assert report["conflicting"] == 1
    assert report["classes"]["rows"] == {"x": 4, "y": 1}
    assert report["classes"]["majority"] == 0.8
    told = "\n".join(lines(report))
    for fact in (
        "1 empty texts in train",
        "1 texts of test stand in train",
        "1 duplicates",
        "1 texts of train with two",
    ):
        assert fact in told
