"""The parts of a batch that several processes make are together the batch that one makes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from textseq.data.batches import ClassificationBatches
from textseq.data.encoded import EncodedTexts
from textseq.data.shards import Shard
from textseq.data.windows import Windows
from textseq.errors import UsageError

_ROWS = 53


def texts(seed: int, longest: int = 70) -> EncodedTexts:
    generator = np.random.default_rng(seed)
    return EncodedTexts.from_lists([generator.integers(4, 90, generator.integers(0, longest)) for _ in range(_ROWS)])


def assert_parts_make_the_whole(make: Any, parts: int) -> None:
    whole = list(make(Shard()).epoch(3))
    shares = [list(make(Shard(index, parts)).epoch(3)) for index in range(parts)]
    assert len(whole) > 2
    for step, batch in enumerate(whole):
        for name, array in batch.items():
            np.testing.assert_array_equal(np.concatenate([share[step][name] for share in shares]), array)
        assert {int(share[step]["tokens"]) for share in shares} == {np.count_nonzero(batch["token_ids"])}


@pytest.mark.parametrize("parts", [2, 4, 12])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("truncate", ["end", "middle"])
def test_parts_of_classified_rows_make_the_batch(parts: int, paired: bool, truncate: Any) -> None:
    first, second = texts(1), texts(2, longest=40)

    def make(shard: Shard) -> ClassificationBatches:
        return ClassificationBatches(
            first,
            np.arange(_ROWS) % 3,
            pair=second if paired else None,
            batch_size=12,
            seed=1,
            max_length=48,
            truncate=truncate,
            weights=np.arange(_ROWS, dtype=np.float32),
            shard=shard,
        )

    assert_parts_make_the_whole(make, parts)


def test_rows_that_are_cut_anew_each_epoch_are_cut_alike_everywhere() -> None:
    class Cut(EncodedTexts):
        sampled = True

        def rows(self, indices: Any, epoch: int = 0) -> list[np.ndarray]:
            generator = np.random.default_rng([epoch, len(indices)])
            return [generator.integers(4, 90, generator.integers(1, 60)) for _ in indices]

    rows = Cut(())
    rows.lengths = np.full(_ROWS, 5)
    assert_parts_make_the_whole(
        lambda shard: ClassificationBatches(rows, np.zeros(_ROWS, int), batch_size=8, seed=1, shard=shard), 4
    )


@pytest.mark.parametrize("carry", [False, True])
def test_parts_of_windows_make_the_batch(carry: bool) -> None:
    rows = texts(3)
    assert_parts_make_the_whole(
        lambda shard: Windows(rows, end_id=3, batch_size=6, window=16, carry=carry, shard=shard), 3
    )


@pytest.mark.parametrize(("batch_size", "way_out"), [(64, "Take 63 or 66"), (2, "Take 3")])
def test_a_batch_that_cannot_be_split_is_refused(batch_size: int, way_out: str) -> None:
    shard = Shard(0, 3)
    with pytest.raises(
        UsageError, match=rf"divisible by the number of processes, 3\. Received: {batch_size}\. {way_out}\."
    ):
        shard.rows(batch_size)
