"""Clients that send too much, too little, too slowly or nonsense; the others never notice."""

from __future__ import annotations

import asyncio
import gzip
import http.client
import resource
import socket
from collections.abc import Iterator
from typing import Any

import pytest

HALF_OPEN = 1000
GOOD = {"signature_name": "length", "instances": ["abc"]}
THREE = (200, {"predictions": [3.0]})


@pytest.fixture
def many_files() -> Iterator[None]:
    """Lets this process open enough sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = HALF_OPEN + 500
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"this system allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def connected(served: Any, *, sent: bytes = b"") -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", served.rest_port), timeout=60)
    opened.sendall(sent)
    return opened


def test_a_thousand_half_open_connections_keep_nobody_out(served: Any, many_files: None) -> None:
    head = b"POST /v1/models/lengths:predict HTTP/1.1\r\nHost: x\r\n"
    body = head + b"Content-Length: 100\r\n\r\n{"
    opened = [connected(served, sent=(b"", head, body)[number % 3]) for number in range(HALF_OPEN)]
    try:
        for _ in range(20):
            assert served.predict(GOOD) == THREE
    finally:
        for one in opened:
            one.close()
    assert served.predict(GOOD) == THREE


def test_a_body_that_comes_byte_by_byte_is_answered_and_others_are_meanwhile(served: Any) -> None:
    body = b'{"signature_name":"length","instances":["abc"]}'
    slow = connected(
        served, sent=b"POST /v1/models/lengths:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    for number in range(len(body)):
        slow.sendall(body[number : number + 1])
        if number % 10 == 0:
            assert served.predict(GOOD) == THREE
    response = http.client.HTTPResponse(slow)
    response.begin()
    assert response.status == 200
    slow.close()


def test_a_body_that_is_announced_too_large_is_refused_before_it_comes(served: Any) -> None:
    head = b"POST /v1/models/lengths:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\n"
    opened = connected(served, sent=head)
    response = http.client.HTTPResponse(opened)
    response.begin()
    assert response.status == 413
    assert b"larger than" in response.read()
    opened.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # a TLS client
        b"nonsense\r\n\r\n",
        b"GET\r\n\r\n",
        b"POST /v1/models/lengths:predict HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/models/lengths:predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /" + b"a" * 200_000,
    ],
    ids=["tls", "nonsense", "head", "length", "chunk", "long"],
)
def test_what_is_no_http_is_refused_and_the_server_goes_on(served: Any, sent: bytes) -> None:
    opened = socket.create_connection(("127.0.0.1", served.rest_port), timeout=60)
    try:
        opened.sendall(sent)
        answer = opened.recv(1000)
    except ConnectionError:
        answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
    opened.close()
    assert served.predict(GOOD) == THREE


def test_chunked_bodies_and_requests_in_a_row_are_answered_in_order(served: Any) -> None:
    status, text = 0, ""
    head = b"POST /v1/models/lengths:predict HTTP/1.1\r\nHost: x\r\n"
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    chunked += b'1f\r\n{"signature_name":"length","ins\r\nd\r\ntances":["a"]\r\n1\r\n}\r\n0\r\n\r\n'
    second = b"GET /v1/models/lengths/versions/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    opened = connected(served, sent=chunked + second)
    raw = b"".join(iter(lambda: opened.recv(65536), b""))
    opened.close()
    status, text = raw.count(b"HTTP/1.1 "), raw.decode()
    assert status == 2
    assert text.index('"predictions": [1.0') < text.index("Could not find version 7")


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"instances":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"instances":[' + "9" * 5000 + "]}",
        '{"signature_name":"same","instances":[' + "9" * 400 + "]}",
        '{"signature_name":"twice","instances":[' + "9" * 4000 + "]}",
        '{"signature_name":"same","inputs":' + "[" * 70 + "1" + "]" * 70 + "}",
        '{"signature_name":"\udcff","instances":["a"]}',
    ],
    ids=["open lists", "deep lists", "long integer", "large integer", "larger integer", "70 axes", "no UTF-8"],
)
def test_bodies_made_to_break_parsers_are_the_clients_fault(served: Any, body: str) -> None:
    status, answer = served.predict(body)
    assert status == 400
    assert answer["error"]
    assert served.predict(GOOD) == THREE


def asked(application: Any, *parts: bytes, **headers: str) -> int:
    """Returns the status of a POST whose body comes in parts, and never ends where the last part is missing."""
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if not messages:
            await asyncio.Event().wait()
        message = messages.pop(0)
        return {**message, "more_body": message["body"] != b"end"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    pairs = [(key.replace("_", "-").encode(), value.encode()) for key, value in headers.items()]
    scope = {"method": "POST", "raw_path": b"/v1/models/m:predict", "query_string": b"", "headers": pairs}
    asyncio.run(application(scope, receive, send))
    return sent[0]["status"]


def test_limits_of_size_and_time_hold_however_the_body_comes() -> None:
    from textseq.serving.application import Application
    from textseq.serving.models import Models
    from textseq.serving.rest import RestInterface

    application = Application(RestInterface(Models()), lambda: b"", threads=1, largest_body=1000, body_seconds=0.05)
    assert asked(application, b"{}", b"end") == 404  # what a good body gets where no model is served
    assert asked(application, b"x" * 600, b"x" * 600, b"end") == 413
    assert asked(application, content_length="1001") == 413
    assert asked(application, b"x" * 10) == 408
    bomb = gzip.compress(b"\x00" * 100_000)
    assert len(bomb) < 900
    assert asked(application, bomb + b"end", content_encoding="gzip") == 408  # not yet whole
    assert asked(application, bomb, b"end", content_encoding="gzip") == 413


def test_a_head_that_never_ends_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    import uvicorn
    from uvicorn.server import ServerState

    from textseq.serving import server

    monkeypatch.setattr(server, "HEAD_SECONDS", 0.1)

    async def hung_up_on(sent: bytes) -> bytes:
        config = uvicorn.Config(lambda: None, lifespan="off", log_config=None)
        config.load()
        state = ServerState()

        def protocol() -> asyncio.Protocol:
            return server.PatientProtocol(config=config, server_state=state, app_state={})

        async with await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0) as listening:
            reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
            writer.write(sent)
            try:
                return await asyncio.wait_for(reader.read(), 30)
            except ConnectionResetError:  # hung up on with what was sent still unread, on a machine that stalls
                return b""
            finally:
                writer.close()

    assert asyncio.run(hung_up_on(b"")) == b""
    assert asyncio.run(hung_up_on(b"GET / HTTP/1.1\r\nHost: x\r\n")) == b""


def test_grpc_refuses_what_is_no_message(served: Any) -> None:
    grpc = pytest.importorskip("grpc")
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"\xff\xff\xff", timeout=60)
        assert raised.value.code().name in ("INTERNAL", "UNKNOWN", "INVALID_ARGUMENT")
        unknown = channel.unary_unary("/tensorflow.serving.PredictionService/Nothing")
        with pytest.raises(grpc.RpcError) as raised:
            unknown(b"", timeout=60)
        assert raised.value.code().name == "UNIMPLEMENTED"
    assert served.predict(GOOD) == THREE
