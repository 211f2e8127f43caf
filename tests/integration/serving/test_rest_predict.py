"""What predict answers, case by case, as TF Serving's specification and source have it."""

from __future__ import annotations

import math
from typing import Any

import pytest
from predict_bodies import columns, rows

INVALID = "INVALID_ARGUMENT: "


def element(number: int, error: str, key: str = "") -> str:
    where = f"{number} key: {key}" if key else str(number)
    return f"Failed to process element: {where} of 'instances' list. Error: {INVALID}{error}"


def wrong(value: str, kind: str, wanted: str) -> str:
    return f"JSON Value: {value} Type: {kind} is not of expected type: {wanted}"


LONG = {"label": "long", "labels": ["short", "long"], "probabilities": [1 / 3, 2 / 3]}
SHORT = {"label": "short", "labels": ["short", "long"], "probabilities": [0.625, 0.375]}
ANSWERS: list[tuple[str, Any, Any]] = [
    ("rows of bare strings", {"instances": ["abc"]}, [SHORT]),
    ("rows of objects", {"instances": [{"text": "abc"}, {"text": "0123456789"}]}, [SHORT, LONG]),
    ("the default signature by name", rows("serving_default", "abc"), [SHORT]),
    ("an empty signature name is the default", rows("", "abc"), [SHORT]),
    ("an empty string", rows("length", ""), [0.0]),
    ("one output comes bare", rows("length", "abc", "0123456789"), [3.0, 10.0]),
    ("bytes count, not characters", rows("length", "é", "猫", "🐈"), [2.0, 3.0, 4.0]),
    ("base64 rows", rows("length", {"b64": "YWJj"}), [3.0]),
    ("base64 without padding", rows("length", {"b64": "YQ"}), [1.0]),
    ("base64 under the input's name", rows("length", {"text": {"b64": "YWJj"}}), [3.0]),
    ("base64 and plain in one request", rows("length", {"b64": "YWJj"}, "ab"), [3.0, 2.0]),
    ("an escaped pair of surrogates", '{"signature_name":"length","instances":["\\ud83d\\udc08"]}', [4.0]),
    ("an escaped null", '{"signature_name":"length","instances":["a\\u0000b"]}', [3.0]),
    ("text that is no UTF-8 passes", b'{"signature_name":"length","instances":["\xff\xfe"]}', [2.0]),
    ("text comes back as it was", rows("echo", 'é "\\ \n\t 猫'), ['é "\\ \n\t 猫']),
    ("bytes come back in base64", rows("raw", "abc"), [{"b64": "YWJj"}]),
    ("bytes that are no text", rows("raw", {"b64": "/wA="}), [{"b64": "/wA="}]),
    ("numbers with and without a point", rows("same", 1, 2.5, -3), [1.0, 2.5, -3.0]),
    ("rows of lists", rows("same", [1, 2], [3, 4]), [[1.0, 2.0], [3.0, 4.0]]),
    ("rows of lists of lists", rows("same", [[1], [2]]), [[[1.0], [2.0]]]),
    ("rows without elements", rows("same", [], []), [[], []]),
    ("exponents", '{"signature_name":"same","instances":[1e2,1E-2]}', [100.0, 0.01]),
    ("several inputs", rows("sum_of", {"a": 1, "b": 2}, {"b": 4, "a": 3}), [3.0, 7.0]),
    ("32-bit integers", rows("twice", 5, -7), [10, -14]),
    ("64-bit integers", rows("same_long", 2**62, -(2**63)), [2**62, -(2**63)]),
    ("truth", rows("opposite", True, False), [False, True]),
    ("doubles", rows("same_double", 0.1), [0.1]),
    ("the first of two equal keys counts", '{"signature_name":"length","signature_name":"x","instances":["a"]}', [1.0]),
    ("what follows the document is ignored", '{"signature_name":"length","instances":["a"]} and more', [1.0]),
    ("spaces and a byte order mark", b'\xef\xbb\xbf \n{"signature_name":"length","instances":["a"]}', [1.0]),
    ("unknown keys are ignored", {**rows("length", "a"), "extra": 1}, [1.0]),
]
COLUMNS: list[tuple[str, Any, Any]] = [
    ("bare", columns("length", ["abc", ""]), [3.0, 0.0]),
    ("named", columns("length", {"text": ["abc"]}), [3.0]),
    ("other names are ignored", columns("length", {"text": ["abc"], "other": [1]}), [3.0]),
    ("several", columns("sum_of", {"a": [1, 2], "b": [3, 4]}), [4.0, 6.0]),
    ("scalar", columns("scalar", 1.5), 3.0),
    ("named scalar", columns("scalar", {"x": 1.5}), 3.0),
    ("empty", columns("same", []), []),
    ("base64 list", columns("length", [{"b64": "YWJj"}]), [3.0]),
    ("several outputs", {"inputs": ["abc"]}, {key: [value] for key, value in SHORT.items()}),
    ("uneven outputs", columns("uneven", [1, 2, 3]), {"all": [1.0, 2.0, 3.0], "first": [1.0]}),
    ("bytes", columns("raw", ["abc"]), [{"b64": "YWJj"}]),
    ("matrix", columns("same", [[1, 2], [3, 4]]), [[1.0, 2.0], [3.0, 4.0]]),
    ("truth", columns("opposite", [True]), [False]),
]
ONE_OF = "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
SEVERAL = "expecting {} as multiple input tensors required as per tensorinfo_map"
ERRORS: list[tuple[str, Any, int, str]] = [
    ("an empty body", "", 400, "JSON Parse error: The document is empty"),
    ("spaces", "  ", 400, "JSON Parse error: The document is empty. at offset: 2"),
    ("no JSON", "abc", 400, "JSON Parse error: Invalid value. at offset: 0"),
    ("cut off", '{"instances":', 400, "JSON Parse error: Invalid value. at offset: 13"),
    ("no name", "{1:2}", 400, "JSON Parse error: Missing a name for object member. at offset: 1"),
    ("no colon", '{"a" 1}', 400, "JSON Parse error: Missing a colon after a name of object member. at offset: 5"),
    ("no comma", '{"a": 1 "b"}', 400, "JSON Parse error: Missing a comma or '}' after an object member. at offset: 8"),
    (
        "no comma in a list",
        "[1 2]",
        400,
        "JSON Parse error: Missing a comma or ']' after an array element. at offset: 3",
    ),
    ("open list", '{"a": [1', 400, "JSON Parse error: Missing a comma or ']' after an array element. at offset: 8"),
    ("open string", '{"a', 400, "JSON Parse error: Missing a closing quotation mark in string. at offset: 1"),
    ("wrong escape", '{"\\x"', 400, "JSON Parse error: Invalid escape character in string. at offset: 2"),
    ("half a pair", '{"\\ud83d": 1}', 400, "JSON Parse error: The surrogate pair in string is invalid. at offset: 2"),
    (
        "offsets are in bytes",
        '{"é" 1}',
        400,
        "JSON Parse error: Missing a colon after a name of object member. at offset: 6",
    ),
    ("too big", '{"instances":[1e999]}', 400, "JSON Parse error: Number too big to be stored in double. at offset: 0"),
    ("a list", "[1]", 400, "JSON Value: [1] Is not object"),
    ("a number", "1", 400, "JSON Value: 1 Is not object"),
    ("null", "null", 400, "JSON Value: null Is not object"),
    ("neither", "{}", 400, "Missing 'inputs' or 'instances' key"),
    (
        "both",
        {"inputs": 1, "instances": [1]},
        400,
        'JSON Value: {\n    "inputs": 1,\n    "instances": [1]\n} ' + ONE_OF,
    ),
    (
        "no list",
        {"instances": "a"},
        400,
        'JSON Value: {\n    "instances": "a"\n} Expecting \'instances\' to be an list/array',
    ),
    (
        "null rows",
        {"instances": None},
        400,
        "JSON Value: {\n    \"instances\": null\n} Expecting 'instances' to be an list/array",
    ),
    ("no rows", {"instances": []}, 400, "JSON Value: {\n    \"instances\": []\n} No values in 'instances' array"),
    (
        "a signature that is no string",
        {"signature_name": 1, "instances": ["a"]},
        400,
        'JSON Value: {\n    "signature_name": 1,\n    "instances": ["a"]\n} not formatted correctly. '
        "'signature_name' key must be a string value.",
    ),
    ("unknown signature", rows("nope", "a"), 400, 'Serving signature name: "nope" not found in signature def'),
    (
        "no inputs",
        rows("__saved_model_init_op", "a"),
        400,
        "Failed to get input map for signature: __saved_model_init_op",
    ),
    ("a number for text", {"instances": [1]}, 400, element(0, wrong("1", "Number", "string"))),
    ("null for text", {"instances": ["a", None]}, 400, element(1, wrong("null", "Null", "string"))),
    ("true for text", {"instances": [True]}, 400, element(0, wrong("true", "True", "string"))),
    ("text for a number", rows("same", "a"), 400, element(0, wrong('"a"', "String", "float"))),
    ("false for a number", rows("same", False), 400, element(0, wrong("false", "False", "float"))),
    ("2.0 for an integer", rows("twice", 2.0), 400, element(0, wrong("2.0", "Number", "int32"))),
    ("an integer of 33 bits", rows("twice", 2**31), 400, element(0, wrong(str(2**31), "Number", "int32"))),
    ("an integer of 65 bits", rows("same_long", 2**63), 400, element(0, wrong(str(2**63), "Number", "int64"))),
    ("1 for truth", rows("opposite", 1), 400, element(0, wrong("1", "Number", "bool"))),
    ("an object for a number", rows("sum_of", {"a": {}, "b": 1}), 400, element(0, wrong("{}", "Object", "float"), "a")),
    (
        "base64 for a number",
        rows("same", {"b64": "YQ=="}),
        400,
        element(0, wrong('{\n    "b64": "YQ=="\n}', "Object", "float")),
    ),
    ("not base64", rows("length", {"b64": "*"}), 400, element(0, "Unable to base64 decode")),
    ("ragged rows", rows("same", [1, 2], [3]), 400, element(1, "Expecting tensor size: 2 but got: 1")),
    ("other shapes", rows("same", [[1, 2]], [[1], [2]]), 400, element(1, "Expecting shape [1,2] but got: [2,1]")),
    (
        "ragged in a row",
        rows("same", [[1, 2], [3]]),
        400,
        element(0, "Encountered list at unexpected size: 1 at level: 1 expected size: 2"),
    ),
    (
        "a list among numbers",
        rows("same", [1, [2]]),
        400,
        element(0, "Encountered list at unexpected level: 1 expected < 1"),
    ),
    (
        "a number among lists",
        rows("same", [[1], 2]),
        400,
        element(0, "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2"),
    ),
    (
        "bare rows for two inputs",
        rows("sum_of", 1),
        400,
        "instances is a plain list, but " + SEVERAL.format("list of objects"),
    ),
    (
        "a bare column for two",
        columns("sum_of", [1]),
        400,
        "inputs is a plain value/list, but " + SEVERAL.format("an object"),
    ),
    (
        "a key too few",
        rows("sum_of", {"a": 1}),
        400,
        "Failed to process element: 0 of 'instances' list. JSON object: {\n    \"a\": 1\n} keys must be equal to: a,b",
    ),
    (
        "a key too many",
        rows("length", {"text": "a", "other": 1}),
        400,
        element(0, "JSON object: does not have named input: other", "other"),
    ),
    (
        "an object, then bare",
        rows("length", {"text": "a"}, "b"),
        400,
        "Expecting object but got list at item 1 of input list",
    ),
    (
        "bare, then an object",
        rows("length", "a", {"text": "b"}),
        400,
        "Expecting value/list but got object at item 1 of input list",
    ),
    ("a column that is missing", columns("sum_of", {"a": [1]}), 400, "Missing named input: b in 'inputs' object."),
    (
        "a ragged column",
        columns("same", [[1, 2], [3]]),
        400,
        "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
    ),
    ("null for a column", columns("same", None), 400, wrong("null", "Null", "float")),
    ("half out", rows("half", 1), 400, "Failed to write JSON value for tensor type: half"),
    (
        "half in, by row",
        rows("from_half", 1),
        400,
        element(0, "Conversion of JSON Value: 1 to type: half").replace(INVALID, "UNIMPLEMENTED: "),
    ),
    ("half in, by column", columns("from_half", [1]), 501, "Conversion of JSON Value: 1 to type: half"),
    (
        "outputs without a batch",
        rows("uneven", 1, 2),
        400,
        "Tensor name: first has inconsistent batch size: 1 expecting: 2",
    ),
]


@pytest.mark.parametrize(("body", "predictions"), [case[1:] for case in ANSWERS], ids=[case[0] for case in ANSWERS])
def test_rows_are_answered_with_predictions(served: Any, body: Any, predictions: Any) -> None:
    status, answer = served.predict(body)
    assert status == 200, answer
    assert same(answer, {"predictions": predictions})


@pytest.mark.parametrize(("body", "outputs"), [case[1:] for case in COLUMNS], ids=[case[0] for case in COLUMNS])
def test_columns_are_answered_with_outputs(served: Any, body: Any, outputs: Any) -> None:
    status, answer = served.predict(body)
    assert status == 200, answer
    assert same(answer, {"outputs": outputs})


@pytest.mark.parametrize(("body", "code", "message"), [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS])
def test_what_is_wrong_is_said_in_the_servers_words(served: Any, body: Any, code: int, message: str) -> None:
    status, answer = served.predict(body)
    assert status == code, answer
    assert answer == {"error": message}


def test_what_the_graph_refuses_is_the_clients_fault(served: Any) -> None:
    status, answer = served.predict(rows("failing", 1, 20))
    assert status == 400
    assert "x is too large" in answer["error"]
    assert served.predict(rows("failing", 1, 2)) == (200, {"predictions": [1.0, 2.0]})


def same(found: Any, expected: Any) -> bool:
    """Compares nested values, floats to seven digits and everything else exactly, types included."""
    if isinstance(expected, float):
        return isinstance(found, float) and (found == expected or math.isclose(found, expected, rel_tol=1e-7))
    if isinstance(expected, dict):
        return (
            isinstance(found, dict)
            and found.keys() == expected.keys()
            and all(same(found[k], expected[k]) for k in expected)
        )
    if isinstance(expected, list):
        return isinstance(found, list) and len(found) == len(expected) and all(map(same, found, expected))
    return type(found) is type(expected) and found == expected
