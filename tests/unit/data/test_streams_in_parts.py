"""A stream that several processes read: each its part, in batches of one width."""

from __future__ import annotations

from itertools import islice
from typing import Any

import datasets
import numpy as np
import pytest

from textseq.config import DataConfig
from textseq.data.labels import Labels
from textseq.data.shards import Shard
from textseq.data.streams import StreamedClassificationBatches, StreamedWindows
from textseq.data.tokenizers.base import END_ID
from textseq.data.tokenizers.words import WordsTokenizer

TEXTS = [" ".join(f"w{i}" for i in range(start, start + 1 + start % 7)) for start in range(203)]
FILES = 4


@pytest.fixture(scope="module")
def tokenizer() -> WordsTokenizer:
    made = WordsTokenizer()
    made.fit(iter(TEXTS))
    return made


def stream() -> Any:
    rows = datasets.Dataset.from_dict({"text": TEXTS, "label": ["even", "odd"] * 101 + ["even"]})
    return rows.to_iterable_dataset(num_shards=FILES)


def classified(tokenizer: WordsTokenizer, shard: Shard) -> StreamedClassificationBatches:
    return StreamedClassificationBatches(
        stream(),
        DataConfig("x", label="label"),
        tokenizer,
        Labels(("even", "odd"), multi=False, columns=("label",)),
        steps_per_epoch=30,
        batch_size=12,
        seed=3,
        bucket=True,
        max_length=50,
        truncate="end",
        shard=shard,
    )


@pytest.mark.parametrize("parts", [2, 4, 3])
def test_every_row_is_in_one_part(parts: int, tokenizer: WordsTokenizer) -> None:
    shares = [classified(tokenizer, Shard(index, parts)).rows for index in range(parts)]
    found = [[row["text"] for row in share] for share in shares]
    assert sorted(text for part in found for text in part) == sorted(TEXTS)
    assert min(len(part) for part in found) >= len(TEXTS) // parts - FILES


def test_parts_are_whole_files_where_these_can_be_shared_out(tokenizer: WordsTokenizer) -> None:
    share = classified(tokenizer, Shard(1, 2)).rows
    assert share.num_shards == FILES // 2
    lines = {TEXTS.index(row["text"]) * FILES // len(TEXTS) for row in share}
    assert len(lines) == FILES // 2


def test_parts_of_a_batch_have_the_width_of_the_widest(tokenizer: WordsTokenizer) -> None:
    asked = []

    def largest(widths: np.ndarray) -> np.ndarray:
        asked.append(len(widths))
        return np.maximum(widths, 24)

    own = list(classified(tokenizer, Shard(0, 2)).epoch(0, 29))  # not evened: every width is the part's own
    assert {batch["token_ids"].shape for batch in own} == {(6, 8)}
    batches = list(classified(tokenizer, Shard(0, 2, largest)).epoch(0))
    assert {batch["token_ids"].shape for batch in batches} == {(6, 24)}
    assert asked == [50]
    assert all(int(batch["tokens"]) == 2 * np.count_nonzero(batch["token_ids"]) for batch in batches)


def test_windows_of_parts_hold_every_token_once(tokenizer: WordsTokenizer) -> None:
    words = sum(len(text.split()) + 1 for text in TEXTS)
    found = []
    for index in range(2):
        part = StreamedWindows(
            stream(),
            "text",
            tokenizer,
            end_id=END_ID,
            steps_per_epoch=words,
            batch_size=2,
            window=1,
            carry=True,
            shard=Shard(index, 2),
        )
        share = sum(len(text["text"].split()) + 1 for text in part.rows)
        batches = list(islice(part.epoch(0), share))
        assert {batch["targets"].shape for batch in batches} == {(1, 1)}
        assert {int(batch["tokens"]) for batch in batches} == {2}
        found += [int(batch["targets"][0, 0]) for batch in batches]
    whole = [token for text in TEXTS for token in [*tokenizer.encode([text])[0], END_ID]]
    assert sorted(found) == sorted(whole)
