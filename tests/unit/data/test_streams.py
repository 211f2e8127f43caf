"""Streams of rows: every row once a pass, every token once a pass, and the middle reached again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import datasets
import numpy as np
import pytest

from textseq.config import DataConfig
from textseq.data.labels import Labels
from textseq.data.streams import StreamedClassificationBatches, StreamedWindows
from textseq.data.tokenizers.base import END_ID, START_ID
from textseq.data.tokenizers.words import WordsTokenizer

TEXTS = [" ".join(f"w{i}" for i in range(start, start + 1 + start % 7)) for start in range(203)]
LABELS = Labels(("even", "odd"), multi=False, columns=("label",))


@pytest.fixture(scope="module")
def tokenizer() -> WordsTokenizer:
    made = WordsTokenizer()
    made.fit(iter(TEXTS))
    return made


def rows() -> Any:
    dataset = datasets.Dataset.from_dict({"text": TEXTS, "label": ["even", "odd"] * 101 + ["even"]})
    return dataset.to_iterable_dataset(num_shards=4)


def classified(tokenizer: WordsTokenizer, steps: int = 26) -> StreamedClassificationBatches:
    return StreamedClassificationBatches(
        rows(),
        DataConfig("x", label="label"),
        tokenizer,
        LABELS,
        steps_per_epoch=steps,
        batch_size=8,
        seed=3,
        bucket=True,
        max_length=50,
        truncate="end",
    )


def windows(tokenizer: WordsTokenizer, steps: int = 10, **more: Any) -> StreamedWindows:
    return StreamedWindows(
        rows(),
        "text",
        tokenizer,
        end_id=END_ID,
        steps_per_epoch=steps,
        batch_size=4,
        window=5,
        **{"carry": True, **more},
    )


def read(tokenizer: WordsTokenizer, batches: Iterator[dict[str, np.ndarray]]) -> list[str]:
    found = []
    for batch in batches:
        real = batch["weights"] > 0
        found += tokenizer.decode([row[row > 0] for row in batch["token_ids"][real]])
    return found


def test_a_pass_holds_every_row_once(tokenizer: WordsTokenizer) -> None:
    assert sorted(read(tokenizer, classified(tokenizer).epoch(0))) == sorted(TEXTS)  # 26 × 8 rows hold 203


def test_the_next_pass_holds_them_again_in_another_order(tokenizer: WordsTokenizer) -> None:
    batches = classified(tokenizer)
    first, second = (read(tokenizer, batches.epoch(epoch)) for epoch in (0, 1))
    assert sorted(second) == sorted(TEXTS)
    assert first != second


def test_labels_stay_with_their_texts(tokenizer: WordsTokenizer) -> None:
    numbers = {text: number % 2 for number, text in enumerate(TEXTS)}
    for batch in classified(tokenizer).epoch(0):
        for text, label in zip(read(tokenizer, iter([batch])), batch["labels"], strict=False):
            assert numbers[text] == label


def test_short_epochs_go_on_where_the_last_one_ended(tokenizer: WordsTokenizer) -> None:
    batches = classified(tokenizer, steps=13)
    assert sorted([text for epoch in (0, 1) for text in read(tokenizer, batches.epoch(epoch))]) == sorted(TEXTS)


class Drawing(WordsTokenizer):
    """Cuts every text into one token that is drawn."""

    samples = True

    def encode_sampled(self, texts: Any, generator: np.random.Generator) -> list[list[int]]:
        return [[int(generator.integers(4, 10_000))] for _ in texts]


def test_subwords_of_every_block_are_drawn_anew() -> None:
    batches = classified(Drawing(), steps=100)
    batches.batch_size = 1  # blocks of fifty rows, of which a pass has five
    drawn = [int(batch["token_ids"][0, 0]) for batch in batches.epoch(0)]
    assert len(set(drawn)) > 95
    again = classified(Drawing(), steps=100)
    again.batch_size = 1
    assert [int(batch["token_ids"][0, 0]) for batch in again.epoch(0)] == drawn


@pytest.mark.parametrize("make", [classified, windows])
def test_a_later_step_is_reached_again_by_another_reader(make: Any, tokenizer: WordsTokenizer) -> None:
    whole = [*make(tokenizer).epoch(0), *make(tokenizer).epoch(1)]
    again = list(make(tokenizer).epoch(1, first_step=4))
    steps = len(whole) // 2
    assert len(again) == steps - 4
    for one, other in zip(whole[steps + 4 :], again, strict=True):
        np.testing.assert_array_equal(one["token_ids"], other["token_ids"])


def test_every_token_is_a_target_once_and_follows_the_one_before_it(tokenizer: WordsTokenizer) -> None:
    wanted = sorted(id_ for row in tokenizer.encode(TEXTS) for id_ in [*row, END_ID])
    found: list[int] = []
    streams: list[list[int]] = [[] for _ in range(4)]
    last = np.full(4, START_ID)
    for batch in islice(windows(tokenizer).endless(), len(wanted) // 20):  # as many whole windows as a pass fills
        np.testing.assert_array_equal(batch["token_ids"][:, 0], last)
        np.testing.assert_array_equal(batch["token_ids"][:, 1:], batch["targets"][:, :-1])
        last = batch["targets"][:, -1]
        for row, targets in enumerate(batch["targets"].tolist()):
            streams[row] += targets
            found += targets
    assert len(found) > 0.9 * len(wanted)
    assert not [id_ for id_ in set(found) - {END_ID} if found.count(id_) > wanted.count(id_) + 1]
    texts = [text for stream in streams for text in tokenizer.decode(_cut(stream))]
    assert set(texts) <= set(TEXTS)  # texts are whole, whichever stream reads them


def _cut(stream: list[int]) -> list[list[int]]:
    """Returns the whole texts of a stream, without the last, which may not be at its end."""
    parts: list[list[int]] = [[]]
    for id_ in stream:
        if id_ == END_ID:
            parts.append([])
        else:
            parts[-1].append(id_)
    return [part for part in parts[:-1] if part]


def test_the_state_is_reset_at_the_first_window_only(tokenizer: WordsTokenizer) -> None:
    resets = [batch["reset"].tolist() for batch in islice(windows(tokenizer).endless(), 30)]
    assert resets == [[1.0] * 4] + [[0.0] * 4] * 29
    alone = [batch["reset"].tolist() for batch in islice(windows(tokenizer, carry=False).endless(), 3)]
    assert alone == [[1.0] * 4] * 3


def test_so_many_windows_begin_as_texts_do(tokenizer: WordsTokenizer) -> None:
    batches = list(islice(windows(tokenizer, restarts=0.5).endless(), 100))[1:]  # all begin so at first
    begun = np.array([batch["token_ids"][:, 0] == START_ID for batch in batches])
    assert 0.3 < begun.mean() < 0.7  # four standard deviations of 396 draws are 0.1
    np.testing.assert_array_equal(begun, [batch["reset"] == 1 for batch in batches])
    plain = list(islice(windows(tokenizer).endless(), 100))[1:]
    assert not any((batch["token_ids"][:, 0] == START_ID).any() for batch in plain)
