"""Clients that ask a server over REST, all at a time, each on one connection that is kept alive."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from local_server import HOST, LocalServer

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_LONGEST_WAIT = 30.0  # seconds for an answer


@dataclass
class Load:
    """What the clients saw.

    Attributes:
        seconds: Of each request that was answered well.
        errors: Requests with another status, another label than the first time, or no answer.
    """

    seconds: list[float] = field(default_factory=list)
    errors: int = 0


async def ask_for(seconds: float, server: LocalServer, texts: Sequence[str]) -> Load:
    """Lets one client a text ask for its label, again and again, until the time is over."""
    load, until = Load(), time.perf_counter() + seconds
    await asyncio.gather(*(_client(server, text, until, load) for text in texts))
    return load


async def _client(server: LocalServer, text: str, until: float, load: Load) -> None:
    """Asks on one connection; where that breaks, it is an error and the client's end."""
    request, first = _request(server, text), None
    try:
        reader, writer = await asyncio.open_connection(HOST, server.rest_port)
        try:
            while (began := time.perf_counter()) < until:
                writer.write(request)
                label = await asyncio.wait_for(_label(reader), _LONGEST_WAIT)
                first = first or label
                if label is None or label != first:
                    load.errors += 1
                else:
                    load.seconds.append(time.perf_counter() - began)
        finally:
            writer.close()
    except (OSError, asyncio.IncompleteReadError):  # a time-out is an OSError too
        load.errors += 1


def _request(server: LocalServer, text: str) -> bytes:
    body = json.dumps({"instances": [text]}).encode()
    return f"POST {server.path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def _label(reader: asyncio.StreamReader) -> str | None:
    """Reads one answer and returns its label; None where its status is none of success."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1]) if length else 0)
    return str(json.loads(body)["predictions"][0]["label"]) if head.split(b" ", 2)[1] == b"200" else None
