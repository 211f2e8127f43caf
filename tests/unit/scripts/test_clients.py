"""Clients that ask a server under load: what counts as an answer and what as an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

pytest.importorskip("tensorflow_serving", reason="the clients speak gRPC too")

ANSWERS = {"steady": ["a", "a", "a"], "fickle": ["a", "b", "a"], "refused": [None, "a"], "broken": []}
A_LONG_TIME = 3600.0  # the connections break before


@asynccontextmanager
async def connect(server: Any, text: str) -> AsyncIterator[Any]:
    left = iter(ANSWERS[text])

    async def ask() -> str | None:
        try:
            return next(left)
        except StopIteration:
            raise ConnectionResetError from None

    yield ask


@pytest.mark.parametrize(("text", "answers", "errors"), [("steady", 3, 1), ("fickle", 2, 2), ("refused", 1, 2)])
def test_other_labels_refusals_and_broken_connections_are_errors(text: str, answers: int, errors: int) -> None:
    from benchmark.clients import ask_for

    server: Any = None
    load = asyncio.run(ask_for(A_LONG_TIME, server, [text], connect))
    assert (len(load.seconds), load.errors) == (answers, errors)


def test_clients_count_together() -> None:
    from benchmark.clients import ask_for

    server: Any = None
    load = asyncio.run(ask_for(A_LONG_TIME, server, list(ANSWERS), connect))
    assert (len(load.seconds), load.errors) == (6, 6)
