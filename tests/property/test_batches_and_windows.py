"""No row and no token is lost or doubled, whatever the lengths and sizes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from textseq.data.batches import ClassificationBatches, bucket_length, evaluation_batches
from textseq.data.encoded import EncodedTexts
from textseq.data.windows import Windows

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=60)


def encoded(lengths: list[int]) -> EncodedTexts:
    """Rows of ids that are all different, so that each can be told."""
    ends = np.cumsum(lengths)
    return EncodedTexts.from_lists([np.arange(end - n, end) + 10 for n, end in zip(lengths, ends, strict=True)])


@settings(deadline=None, max_examples=60)
@given(LENGTHS, st.integers(1, 20), st.booleans(), st.integers(0, 5))
def test_every_row_comes_once_an_epoch_with_its_own_tokens(
    lengths: list[int], batch_size: int, bucket: bool, epoch: int
) -> None:
    texts = encoded(lengths)
    batches = ClassificationBatches(
        texts, np.arange(len(lengths)), batch_size=batch_size, seed=1, bucket=bucket, max_length=512
    )
    seen = []
    for batch in batches.epoch(epoch):
        assert batch["token_ids"].shape[0] == batch_size
        for row, ids, label, weight in zip(
            batch["rows"], batch["token_ids"], batch["labels"], batch["weights"], strict=True
        ):
            assert weight == (row >= 0)
            if row < 0:
                assert not ids.any()
                continue
            seen.append(row)
            assert label == row
            expected = texts.row(row) if lengths[row] else [1]  # an empty text is one unknown token
            np.testing.assert_array_equal(ids[: len(expected)], expected)
            assert not ids[len(expected) :].any()
    assert sorted(seen) == list(range(len(lengths)))


@settings(deadline=None, max_examples=40)
@given(LENGTHS, st.integers(1, 20), st.integers(0, 6))
def test_an_epoch_from_a_later_step_is_the_tail_of_the_epoch(lengths: list[int], batch_size: int, first: int) -> None:
    batches = ClassificationBatches(encoded(lengths), None, batch_size=batch_size, seed=3)
    whole = [batch["rows"].tolist() for batch in batches.epoch(2)]
    assert len(whole) == batches.steps_per_epoch
    assert [batch["rows"].tolist() for batch in batches.epoch(2, first_step=first)] == whole[first:]


@settings(deadline=None, max_examples=40)
@given(LENGTHS, st.integers(1, 20))
def test_evaluation_sees_every_row_once(lengths: list[int], batch_size: int) -> None:
    rows = [b["rows"] for b in evaluation_batches(encoded(lengths), None, batch_size=batch_size, max_length=16)]
    real = np.concatenate(rows)
    assert sorted(real[real >= 0].tolist()) == list(range(len(lengths)))


@settings(deadline=None, max_examples=80)
@given(LENGTHS, st.integers(1, 7), st.integers(1, 12), st.sampled_from([None, 3]), st.booleans(), st.integers(0, 3))
def test_every_token_of_the_stream_is_a_target_once(
    lengths: list[int], batch_size: int, window: int, end_id: int | None, carry: bool, epoch: int
) -> None:
    texts = encoded(lengths)
    windows = Windows(texts, end_id=end_id, batch_size=batch_size, window=window, carry=carry, seed=5)
    found: list[int] = []
    steps = 0
    for batch in windows.epoch(epoch):
        steps += 1
        found += batch["targets"][batch["weights"] > 0].tolist()
    expected = [token for row in range(len(lengths)) for token in [*texts.row(row), *([end_id] if end_id else [])]]
    assert steps == windows.steps_per_epoch
    assert sorted(found) == sorted(expected)


@settings(deadline=None, max_examples=60)
@given(LENGTHS, st.integers(1, 7), st.integers(1, 12))
def test_carried_windows_follow_each_other_without_a_gap(lengths: list[int], batch_size: int, window: int) -> None:
    texts = encoded(lengths)
    windows = Windows(texts, end_id=3, batch_size=batch_size, window=window)
    stream = windows.read(-1, windows.tokens)
    batches = list(windows.epoch(0))
    for row in range(batch_size):
        inputs = [t for b in batches for t, w in zip(b["token_ids"][row], b["weights"][row], strict=True) if w]
        targets = [t for b in batches for t, w in zip(b["targets"][row], b["weights"][row], strict=True) if w]
        assert inputs[1:] == targets[:-1]
        if row == 0 and targets:
            assert inputs[0] == stream[0] == 2  # the start token
            np.testing.assert_array_equal(targets, stream[1 : len(targets) + 1])
    assert all(b["reset"].all() == (step == 0) for step, b in enumerate(batches))


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_bucket_holds_the_text_and_wastes_less_than_half(length: int, longest: int) -> None:
    bucket = bucket_length(min(length, longest), longest)
    assert min(length, longest) <= bucket <= longest or bucket == min(length, longest)
    assert bucket <= max(2 * length, 8)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=40), st.integers(1, 6), st.integers(1, 9), st.integers(1, 8))
def test_epochs_of_fewer_steps_read_on_where_the_one_before_ended(
    lengths: list[int], batch_size: int, window: int, steps: int
) -> None:
    texts = encoded(lengths)
    whole = list(Windows(texts, end_id=3, batch_size=batch_size, window=window).epoch(0))
    short = Windows(texts, end_id=3, batch_size=batch_size, window=window, steps=steps)
    assert short.steps_per_epoch == min(steps, len(whole))
    epochs = -(-2 * len(whole) // short.steps_per_epoch)  # at least two passes over the stream
    read = [batch for epoch in range(epochs) for batch in short.epoch(epoch)]
    for place, batch in enumerate(read):
        for name, array in whole[place % len(whole)].items():
            np.testing.assert_array_equal(batch[name], array)
    if short.steps_per_epoch > 1:
        np.testing.assert_array_equal(
            next(short.epoch(1, first_step=1))["targets"], read[short.steps_per_epoch + 1]["targets"]
        )
