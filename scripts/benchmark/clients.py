"""A process of clients that ask a server, all at a time, each on one connection that is kept alive."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from local_server import HOST, LocalServer
from tensorflow_serving.apis.predict_pb2 import PredictRequest
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from benchmark.sentences import sentences

Ask = Callable[[], Awaitable[str | None]]  # returns the label; None where the status is none of success
Connect = Callable[[LocalServer, str], AbstractAsyncContextManager[Ask]]

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


async def ask_for(seconds: float, server: LocalServer, texts: Sequence[str], connect: Connect) -> Load:
    """Lets one client a text ask for its label, again and again, until the time is over."""
    load, until = Load(), time.perf_counter() + seconds
    await asyncio.gather(*(_client(connect(server, text), until, load) for text in texts))
    return load


async def _client(connection: AbstractAsyncContextManager[Ask], until: float, load: Load) -> None:
    """Asks on one connection; where that breaks, it is an error and the client's end."""
    first = None
    try:
        async with connection as ask:
            while (began := time.perf_counter()) < until:
                label = await asyncio.wait_for(ask(), _LONGEST_WAIT)
                first = first or label
                if label is None or label != first:
                    load.errors += 1
                else:
                    load.seconds.append(time.perf_counter() - began)
    except (OSError, asyncio.IncompleteReadError):  # a time-out is an OSError too
        load.errors += 1


@asynccontextmanager
async def rest(server: LocalServer, text: str) -> AsyncIterator[Ask]:
    """Yields what asks over REST."""
    body = json.dumps({"instances": [text]}).encode()
    head = f"POST {server.path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {len(body)}\r\n\r\n"
    reader, writer = await asyncio.open_connection(HOST, server.rest_port)

    async def ask() -> str | None:
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(answer)
        reply = await reader.readexactly(int(length[1]) if length else 0)
        return str(json.loads(reply)["predictions"][0]["label"]) if answer.split(b" ", 2)[1] == b"200" else None

    try:
        yield ask
    finally:
        writer.close()


@asynccontextmanager
async def remote_call(server: LocalServer, text: str) -> AsyncIterator[Ask]:
    """Yields what asks over gRPC."""
    request = PredictRequest(model_spec={"name": server.name})
    request.inputs["text"].CopyFrom(tf.make_tensor_proto([text]))
    own = [("grpc.use_local_subchannel_pool", 1)]  # else all clients share one connection
    async with grpc.aio.insecure_channel(f"{HOST}:{server.grpc_port}", options=own) as channel:
        predict: Any = PredictionServiceStub(channel).Predict

        async def ask() -> str | None:
            try:
                response = await predict(request)
            except grpc.RpcError:
                return None
            return str(response.outputs["label"].string_val[0].decode())

        yield ask


_WAYS: dict[str, Connect] = {"REST": rest, "gRPC": remote_call}


def main(server: LocalServer, way: str, clients: int, seconds: float, answer: Path) -> None:
    """Writes what the clients saw into a file."""
    load = asyncio.run(ask_for(seconds, server, sentences(clients), _WAYS[way]))
    answer.write_text(json.dumps(asdict(load)))


if __name__ == "__main__":
    main(LocalServer(**json.loads(sys.argv[1])), sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), Path(sys.argv[5]))
