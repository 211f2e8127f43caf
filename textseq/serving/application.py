"""The HTTP side: takes bodies in as long as they come, hands them to threads, and sends what comes back."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from textseq.serving.rest import ROOT, Reply, RestInterface, server_error

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

LARGEST_BODY = 64 * 2**20  # bytes, as it comes and as it is after inflating
BODY_SECONDS = 30.0
_NOT_FOUND = (
    b"<HTML><HEAD>\n<TITLE>404 Not Found</TITLE>\n</HEAD><BODY>\n<H1>Not Found</H1>\n</BODY></HTML>\n"  # libevent's
)


class _RefusedError(Exception):
    """A body that is not read to its end; carries the reply."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.reply = Reply(status, f'{{\n    "error": "{message}"\n}}'.encode())


class _LeftError(Exception):
    """The client went away."""


class Application:
    """An ASGI application over the REST interface and the page.

    Args:
        rest: What answers under `/v1/`.
        page: The HTML of `/`.
        threads: Requests that run at a time.
        largest_body: Bytes; larger bodies are answered with 413.
        body_seconds: How long a body may take to come; after that the reply is 408.
    """

    def __init__(
        self,
        rest: RestInterface,
        page: Callable[[], bytes],
        *,
        threads: int,
        largest_body: int = LARGEST_BODY,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._rest = rest
        self._page = page
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="rest")
        self._largest_body = largest_body
        self._body_seconds = body_seconds

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answers one request."""
        close = False
        try:
            reply = await self._reply(scope, receive)
        except _RefusedError as error:
            reply, close = error.reply, True  # the rest of the body is not waited for
        except _LeftError:
            return
        except Exception as error:  # the last net: a bug answers 500 and the server goes on
            reply = server_error(error)
        headers = [(b"content-type", reply.media_type), (b"content-length", b"%d" % len(reply.body))]
        if close:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else reply.body})

    async def _reply(self, scope: dict[str, Any], receive: Receive) -> Reply:
        method, target = scope["method"], _target(scope)
        headers = dict(scope["headers"])
        body = await self._body(headers, receive)
        if target[: len(ROOT)].lower() != ROOT:
            if target == "/" and method in ("GET", "HEAD"):
                return Reply(200, self._page(), b"text/html; charset=utf-8")
            return Reply(404, _NOT_FOUND, b"text/html")
        encoding = headers.get(b"content-encoding", b"")
        origin = headers.get(b"origin", b"").decode("latin-1")

        def answer() -> Reply:
            try:
                inflated = self._inflated(body) if b"gzip" in encoding else body
            except _RefusedError as error:
                return error.reply
            return self._rest.answer(method, target, inflated, origin)

        return await asyncio.get_running_loop().run_in_executor(self._threads, answer)

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > self._largest_body:
            raise self._too_large()
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _LeftError
                    part = message.get("body", b"")
                    parts.append(part)
                    size += len(part)
                    if size > self._largest_body:
                        raise self._too_large()
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError as error:
            raise _RefusedError(408, "The request took too long to arrive") from error

    def _inflated(self, body: bytes) -> bytes:
        """Returns an inflated body; one that does not inflate is empty, as it is to TF Serving."""
        inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            inflated = inflate.decompress(body, self._largest_body)
        except zlib.error:
            return b""
        if inflate.unconsumed_tail:
            raise self._too_large()
        return inflated if inflate.eof else b""

    def _too_large(self) -> _RefusedError:
        return _RefusedError(413, f"The request is larger than {self._largest_body} bytes")


def _target(scope: dict[str, Any]) -> str:
    """Returns path and query as they came; a whole address loses its scheme and host."""
    target = scope["raw_path"].decode("latin-1")
    if scope["query_string"]:
        target += "?" + scope["query_string"].decode("latin-1")
    if "://" in target and not target.startswith("/"):
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target
