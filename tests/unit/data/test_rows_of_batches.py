"""Which rows a batch holds, told without making it."""

from __future__ import annotations

import numpy as np
import pytest

from textseq.data.batches import ClassificationBatches
from textseq.data.encoded import EncodedTexts
from textseq.data.windows import Windows

TEXTS = [[5] * length for length in (3, 1, 4, 1, 5, 9, 2, 6, 5, 3)]


def test_a_classifiers_batches_hold_the_rows_they_are_said_to_hold() -> None:
    texts = EncodedTexts.from_lists(TEXTS)
    batches = ClassificationBatches(texts, np.arange(10), batch_size=4, seed=3, max_length=16)
    told = [row for step in range(3) for row in batches.rows(2, step).tolist()]
    assert told == [row for batch in batches.epoch(2) for row in batch["rows"].tolist() if row >= 0]
    assert sorted(told) == list(range(10))


def test_windows_tell_the_rows_that_their_targets_stand_in() -> None:
    texts = EncodedTexts.from_lists([[10], [20, 21, 22], [30, 31], [40, 41]])
    windows = Windows(texts, end_id=None, batch_size=2, window=2)  # two streams of 4 tokens: 10 20 21 22 | 30 31 40 41
    assert [windows.rows(0, step).tolist() for step in range(2)] == [[0, 1, 2], [1, 3]]


@pytest.mark.parametrize("carry", [True, False])
def test_every_row_is_in_some_window_of_an_epoch(carry: bool) -> None:
    windows = Windows(EncodedTexts.from_lists(TEXTS), end_id=3, batch_size=3, window=4, carry=carry, seed=1)
    told = {row for step in range(windows.steps_per_epoch) for row in windows.rows(1, step).tolist()}
    assert told == set(range(10))


def test_the_fingerprint_tells_what_is_in_the_rows_and_not_where_they_lie() -> None:
    whole = EncodedTexts.from_lists(TEXTS)
    same = EncodedTexts.from_lists([np.array(row, np.int64) for row in TEXTS])
    assert whole.fingerprint() == same.fingerprint()
    moved = [[*TEXTS[0], TEXTS[1][0]], [], *TEXTS[2:]]  # the same ids in the same order, cut elsewhere
    changed = [[6, *TEXTS[0][1:]], *TEXTS[1:]]
    assert len({one.fingerprint() for one in map(EncodedTexts.from_lists, (TEXTS, moved, changed))}) == 3
