"""Routes, status, metadata, classify and regress, as TF Serving's specification and source have them."""

from __future__ import annotations

import http.client
import json
from typing import Any

import pytest

BASE = "/v1/models/lengths"
LENGTH = {"signature_name": "length", "instances": ["abc"]}
THREE = {"predictions": [3.0]}
OK = {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
STATUS = {"model_version_status": [OK]}


def malformed(method: str, path: str) -> dict[str, str]:
    return {"error": f"Malformed request: {method} {path}"}


def error(message: str) -> dict[str, str]:
    return {"error": message}


ROUTES: list[tuple[str, str, Any, int, Any]] = [
    ("POST", f"{BASE}:predict", LENGTH, 200, THREE),
    ("POST", f"{BASE}/versions/1:predict", LENGTH, 200, THREE),
    ("POST", f"{BASE}/versions/0001:predict", LENGTH, 200, THREE),
    ("POST", "/V1/Models/lengths/VERSIONS/1:predict", LENGTH, 200, THREE),
    ("POST", "/v1/models/%6Cengths:predict", LENGTH, 200, THREE),
    ("POST", f"{BASE}:Predict", LENGTH, 400, malformed("POST", f"{BASE}:Predict")),
    ("POST", f"{BASE}:predict?x=1", LENGTH, 400, malformed("POST", f"{BASE}:predict?x=1")),
    ("POST", f"{BASE}:predict/", LENGTH, 400, malformed("POST", f"{BASE}:predict/")),
    ("POST", f"{BASE}:generate", LENGTH, 400, malformed("POST", f"{BASE}:generate")),
    ("POST", f"{BASE}", LENGTH, 400, malformed("POST", BASE)),
    ("POST", f"{BASE}/metadata", LENGTH, 400, malformed("POST", f"{BASE}/metadata")),
    ("POST", f"{BASE}/versions/x:predict", LENGTH, 400, malformed("POST", f"{BASE}/versions/x:predict")),
    ("POST", f"{BASE}/versions/-1:predict", LENGTH, 400, malformed("POST", f"{BASE}/versions/-1:predict")),
    ("POST", f"{BASE}/versions/:predict", LENGTH, 400, malformed("POST", f"{BASE}/versions/:predict")),
    ("POST", "/v1/models/:predict", LENGTH, 400, malformed("POST", "/v1/models/:predict")),
    ("POST", "/v1/models/a/b:predict", LENGTH, 400, malformed("POST", "/v1/models/a/b:predict")),
    ("POST", "/v1/", LENGTH, 400, malformed("POST", "/v1/")),
    ("PUT", f"{BASE}:predict", LENGTH, 400, malformed("PUT", f"{BASE}:predict")),
    ("DELETE", BASE, None, 400, malformed("DELETE", BASE)),
    ("PATCH", BASE, LENGTH, 400, malformed("PATCH", BASE)),
    ("POST", "/v1/models/Lengths:predict", LENGTH, 404, error("Servable not found for request: Latest(Lengths)")),
    ("POST", "/v1/models/other:predict", LENGTH, 404, error("Servable not found for request: Latest(other)")),
    (
        "POST",
        "/v1/models/other/versions/3:predict",
        LENGTH,
        404,
        error("Servable not found for request: Specific(other, 3)"),
    ),
    ("POST", f"{BASE}/versions/2:predict", LENGTH, 404, error("Servable not found for request: Specific(lengths, 2)")),
    (
        "POST",
        f"{BASE}/versions/2:classify",
        {"examples": [{}]},
        404,
        error("Servable not found for request: Specific(lengths, 2)"),
    ),
    ("POST", f"{BASE}/labels/stable:predict", LENGTH, 400, error("Unrecognized servable version label: stable")),
    ("POST", f"{BASE}/labels/a:b:predict", LENGTH, 400, malformed("POST", f"{BASE}/labels/a:b:predict")),
    (
        "POST",
        f"{BASE}/versions/{10**20}:predict",
        LENGTH,
        400,
        error(f"Failed to convert version: {10**20} to numeric."),
    ),
    (
        "POST",
        "/v1/models/other:predict",
        "{",
        400,
        error("JSON Parse error: Missing a name for object member. at offset: 1"),
    ),
    ("GET", BASE, None, 200, STATUS),
    ("GET", f"{BASE}/versions/1", None, 200, STATUS),
    ("GET", f"{BASE}/labels/any", None, 200, STATUS),
    ("GET", "/v1/MODELS/lengths", None, 200, STATUS),
    ("GET", f"{BASE}/METADATA", None, 200, STATUS),
    ("GET", f"{BASE}/versions/2", None, 404, error("Could not find version 2 of model lengths")),
    ("GET", "/v1/models/other", None, 404, error("Could not find any versions of model other")),
    ("GET", "/v1/models", None, 400, error("Missing model name in request.")),
    ("GET", "/v1/models/metadata", None, 404, error("Could not find any versions of model metadata")),
    ("GET", f"{BASE}?x", None, 404, error("Could not find any versions of model lengths?x")),
    ("GET", f"{BASE}/", None, 400, malformed("GET", f"{BASE}/")),
    ("GET", f"{BASE}:predict", None, 400, malformed("GET", f"{BASE}:predict")),
    ("GET", "/v1/other", None, 400, malformed("GET", "/v1/other")),
    ("GET", "/v1/models/other/metadata", None, 404, error("Servable not found for request: Latest(other)")),
    ("GET", f"{BASE}/versions/2/metadata", None, 404, error("Servable not found for request: Specific(lengths, 2)")),
    ("GET", f"{BASE}/labels/x/metadata", None, 400, error("Unrecognized servable version label: x")),
    ("GET", "/v1", None, 404, None),
    ("GET", "/v2/models/lengths", None, 404, None),
    ("GET", "/index.html", None, 404, None),
    ("POST", "/", "{}", 404, None),
    ("POST", "//v1/models/lengths:predict", LENGTH, 404, None),
]
SHORT_LONG = [["short", 0.625], ["long", 0.375]]
EXAMPLES: list[tuple[str, Any, int, Any]] = [
    ("classify", {"examples": [{"text": "abc"}, {"text": ["abc"]}]}, 200, [SHORT_LONG, SHORT_LONG]),
    ("classify", {"examples": [{"text": {"b64": "YWJj"}}]}, 200, [SHORT_LONG]),
    ("classify", {"context": {"text": "abc"}, "examples": [{}, {"text": "abc"}]}, 200, [SHORT_LONG, SHORT_LONG]),
    ("classify", {"examples": [{"text": "abc", "other": [1, 2], "more": 0.5, "flag": True}]}, 200, [SHORT_LONG]),
    ("regress", {"examples": [{"text": "abc"}, {}]}, 200, [3.0, 0.0]),
    (
        "classify",
        {"signature_name": "serving_default", "examples": [{"text": "a"}]},
        400,
        "Expected one or two output Tensors, found 3",
    ),
    ("classify", {"signature_name": "sum_of", "examples": [{}]}, 400, "Expected one input Tensor."),
    ("classify", {"signature_name": "nope", "examples": [{}]}, 400, "No signature was found with the name: nope"),
    ("regress", {"signature_name": "classify", "examples": [{}]}, 400, "Expected one output Tensor."),
    ("classify", {"examples": [1]}, 400, "Example must be JSON object but got JSON Number"),
    ("classify", {"examples": [[]]}, 400, "Example must be JSON object but got JSON Array"),
    ("classify", {"examples": [{"text": None}]}, 400, "Feature: text has element with unexpected JSON type: Null"),
    ("classify", {"examples": [{"text": {}}]}, 400, "Feature: text has element with unexpected JSON type: Object"),
    ("classify", {"examples": [{"text": [["a"]]}]}, 400, "Feature: text has element with unexpected JSON type: Array"),
    (
        "classify",
        {"examples": [{"text": ["a", 1]}]},
        400,
        "Unexpected element type in feature: text expecting type: bytes",
    ),
    (
        "classify",
        {"examples": [{"text": [1, 0.5]}]},
        400,
        "Unexpected element type in feature: text expecting type: int64",
    ),
    (
        "classify",
        {"examples": [{"text": [0.5, 1]}]},
        400,
        "Unexpected element type in feature: text expecting type: float",
    ),
    ("classify", {"examples": [{"n": 2**63}]}, 400, "Feature: n has uint64_t element. Only int64_t is supported."),
    ("classify", {"context": 1, "examples": [{}]}, 400, "Example must be JSON object but got JSON Number"),
    (
        "classify",
        {},
        400,
        'JSON Value: {\n    "signature_name": "classify"\n} When method is classify, key '
        "'examples' is expected and was not found",
    ),
    (
        "regress",
        {"examples": []},
        400,
        'JSON Value: {\n    "examples": [],\n    "signature_name": "regress"\n} \'examples\' value is an empty array',
    ),
    (
        "regress",
        {"examples": {}},
        400,
        'JSON Value: {\n    "examples": {},\n    "signature_name": "regress"\n} '
        "Expecting 'examples' value to be an list/array",
    ),
]


def ids(cases: list[Any]) -> list[str]:
    return [f"{number} {case[0]} {str(case[1])[:60]}" for number, case in enumerate(cases)]


@pytest.mark.parametrize(("method", "path", "body", "code", "reply"), ROUTES, ids=ids(ROUTES))
def test_routes(served: Any, method: str, path: str, body: Any, code: int, reply: Any) -> None:
    status, text = served.ask(method, path, body)
    assert status == code, text
    if reply is None:
        assert "Not Found" in text
    else:
        assert json.loads(text) == reply


@pytest.mark.parametrize(("verb", "body", "code", "reply"), EXAMPLES, ids=ids(EXAMPLES))
def test_examples_are_classified_and_regressed(served: Any, verb: str, body: Any, code: int, reply: Any) -> None:
    status, text = served.ask("POST", f"{BASE}:{verb}", {**body, "signature_name": body.get("signature_name", verb)})
    assert status == code, text
    assert json.loads(text) == ({"results": reply} if code == 200 else {"error": reply})


def test_examples_that_the_graph_cannot_parse_are_the_clients_fault(served: Any) -> None:
    status, text = served.ask("POST", f"{BASE}:classify", {"signature_name": "classify", "examples": [{"text": 1}]})
    assert status == 400
    assert "text" in json.loads(text)["error"]


def test_metadata_tells_types_and_shapes_of_every_signature(served: Any) -> None:
    status, text = served.ask("GET", f"{BASE}/versions/1/metadata")
    assert status == 200
    found = json.loads(text)
    assert found["model_spec"] == {"name": "lengths", "version": "1", "signature_name": ""}
    signatures = found["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "classify", "regress", "scalar"} <= set(signatures)
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    text_input = default["inputs"]["text"]
    assert text_input["dtype"] == "DT_STRING"
    assert text_input["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    assert signatures["same"]["inputs"]["x"]["tensor_shape"] == {"dim": [], "unknown_rank": True}


def test_a_preflight_needs_an_origin(served: Any) -> None:
    assert served.ask("OPTIONS", f"{BASE}:predict", Origin="http://localhost") == (200, "")
    assert served.ask("OPTIONS", f"{BASE}:predict") == (400, "")


def test_replies_are_json_by_their_header(served: Any) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", served.rest_port, timeout=60)
    for path, kind in ((BASE, "application/json"), ("/v1/x", "application/json"), ("/x", "text/html")):
        connection.request("GET", path)  # all on one connection
        response = connection.getresponse()
        response.read()
        assert response.headers["Content-Type"] == kind
    connection.close()
