"""Windows that begin as a text does: some do, the same each time, and nothing else of them changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from textseq.data.encoded import EncodedTexts
from textseq.data.shards import Shard
from textseq.data.tokenizers.base import START_ID
from textseq.data.windows import Windows, restart

ROWS, WINDOW, STEPS = 8, 5, 200


def windows(carry: bool = True, **options: Any) -> Windows:
    """Token ids that tell their place, none of them special."""
    texts = EncodedTexts.from_lists([np.arange(10, 10 + ROWS * WINDOW * STEPS)])
    return Windows(texts, end_id=None, batch_size=ROWS, window=WINDOW, carry=carry, **options)


def starting(batches: Any) -> np.ndarray:
    return np.array([batch["token_ids"][:, 0] == START_ID for batch in batches])


@pytest.mark.parametrize("carry", [False, True])
def test_so_many_windows_begin_with_the_start_token_and_no_past(carry: bool) -> None:
    batches = list(windows(carry, restarts=0.25).epoch(1))
    begun = starting(batches)
    real = sum(int((batch["weights"][:, 0] > 0).sum()) for batch in batches)
    assert abs(begun.sum() / real - 0.25) < 0.04  # four standard deviations of 1,600 draws
    assert all((batch["reset"][rows] == 1).all() for batch, rows in zip(batches, begun, strict=True))


@pytest.mark.parametrize("carry", [False, True])
def test_nothing_else_of_a_window_changes(carry: bool) -> None:
    for plain, restarted in zip(windows(carry).epoch(0), windows(carry, restarts=0.5).epoch(0), strict=True):
        for name in ("targets", "weights"):
            np.testing.assert_array_equal(plain[name], restarted[name])
        np.testing.assert_array_equal(plain["token_ids"][:, 1:], restarted["token_ids"][:, 1:])
        kept = restarted["token_ids"][:, 0] != START_ID
        np.testing.assert_array_equal(plain["token_ids"][kept, 0], restarted["token_ids"][kept, 0])


def test_without_them_a_carried_stream_restarts_at_its_beginning_alone() -> None:
    resets = np.array([batch["reset"] for batch in windows().epoch(0)])
    assert resets[0].all()
    assert not resets[1:].any()


def test_they_are_the_same_each_time_differ_by_epoch_and_do_not_ask_where_reading_began() -> None:
    made = windows(restarts=0.3, seed=4)
    whole = starting(made.epoch(2))
    np.testing.assert_array_equal(starting(made.epoch(2, first_step=50)), whole[50:])
    assert (starting(made.epoch(3)) != whole).any()
    halves = [starting(windows(restarts=0.3, seed=4, shard=Shard(part, 2)).epoch(2)) for part in range(2)]
    np.testing.assert_array_equal(np.concatenate(halves, 1), whole)


def test_a_filler_stays_empty() -> None:
    batch = {"token_ids": np.zeros((2, 3), int), "weights": np.zeros((2, 3)), "reset": np.zeros(2)}
    batch["weights"][1] = 1
    restart(batch, np.array([True, True]))
    assert batch["token_ids"].tolist() == [[0, 0, 0], [START_ID, 0, 0]]
