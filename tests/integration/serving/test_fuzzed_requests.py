"""Requests that nobody thought of: each gets an answer that TF Serving could have given, and the server lives."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SIGNATURES = ["", "serving_default", "length", "raw", "same", "twice", "sum_of", "scalar", "half", "classify", "count_"]
KEYS = ["instances", "inputs", "signature_name", "examples", "context", "text", "a", "b", "x", "b64", "n"]
PATHS = ["/v1/models/lengths", "/V1/MODELS/lengths", "/v1/models", "/v1/", "/v1/models/other", "/"]
PARTS = [
    "/versions/1",
    "/versions/2",
    "/labels/x",
    "/metadata",
    ":predict",
    ":classify",
    ":regress",
    ":",
    "/",
    "%20",
    "?a",
]
ALLOWED = {200, 400, 404, 501}
Method = st.sampled_from(["POST", "POST", "POST", "GET", "PUT", "OPTIONS"])

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["YQ==", "*"])
keys = st.sampled_from(KEYS) | st.text(max_size=4)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=3), max_leaves=12
)
shaped = st.fixed_dictionaries(
    {},
    optional={
        "signature_name": st.sampled_from(SIGNATURES),
        "instances": st.lists(values, max_size=4),
        "inputs": values,
        "examples": st.lists(values, max_size=3),
        "context": values,
    },
)
documents = st.one_of(shaped, shaped, values).map(json.dumps).map(str.encode)


@st.composite
def damaged(draw: Any) -> bytes:
    """A document with a byte changed, doubled or cut away."""
    body = bytearray(draw(documents))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, max(len(body) - 1, 0)))
        body[place : place + draw(st.integers(0, 2))] = draw(st.binary(max_size=2))
    return bytes(body)


paths = st.builds(
    lambda path, parts: path + "".join(parts), st.sampled_from(PATHS), st.lists(st.sampled_from(PARTS), max_size=3)
)
likely = st.sampled_from(["/v1/models/lengths:predict", "/v1/models/lengths:classify", "/v1/models/lengths:regress"])
bodies = st.one_of(documents, damaged(), st.binary(max_size=40))


def check(served: Any) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", served.rest_port, timeout=60)

    @given(method=Method, path=st.one_of(likely, likely, paths), body=bodies)
    def every_request_is_answered(method: str, path: str, body: bytes) -> None:
        connection.request(method, path, body)
        response = connection.getresponse()
        text = response.read()
        assert response.status in ALLOWED, text
        if response.status != 200 and response.headers["Content-Type"] == "application/json" and method != "OPTIONS":
            assert list(json.loads(text.decode("utf-8", "replace"))) == ["error"]

    return every_request_is_answered


def fuzz(served: Any, requests: int) -> None:
    quiet = settings(max_examples=requests, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    quiet(check(served))()
    assert served.predict({"signature_name": "length", "instances": ["abc"]}) == (200, {"predictions": [3.0]})


def test_three_hundred_requests(served: Any) -> None:
    fuzz(served, 300)


@pytest.mark.slow
def test_five_thousand_requests(served: Any) -> None:
    fuzz(served, 5000)
