"""Amounts of memory as people write them."""

from __future__ import annotations

import pytest

from textseq.config.json_schema import json_schema
from textseq.config.sizes import Size, in_bytes, in_words


@pytest.mark.parametrize(
    ("written", "count"),
    [("4GB", 4_000_000_000), ("512 MB", 512_000_000), ("1.5GiB", 1_610_612_736), ("2KiB", 2048), ("1TB", 10**12)],
)
def test_sizes_are_read(written: str, count: int) -> None:
    assert in_bytes(written) == count


@pytest.mark.parametrize("written", ["4", "GB", "4gb", "-1GB", "0MB", "1e3MB", "4GBs", "", 4, 4.5, True, None])
def test_what_is_no_size_is_not_read(written: object) -> None:
    assert not Size().fits(written)


@pytest.mark.parametrize(("count", "words"), [(1_234_567_890, "1.23GB"), (999_000_000, "999MB"), (3 * 10**12, "3TB")])
def test_bytes_are_told_as_sizes(count: int, words: str) -> None:
    assert in_words(count) == words


def test_editors_know_that_a_batch_may_size_itself() -> None:
    training = json_schema()["properties"]["training"]["properties"]
    assert training["batch_size"] == {"anyOf": [{"type": "integer", "minimum": 1}, {"enum": ["auto"]}]}
    assert training["memory_budget"]["anyOf"][0]["type"] == "string"
