"""How bodies are read and written: numbers, line breaks, compression; to the letter of TF Serving."""

from __future__ import annotations

import gzip
import json
import math
from typing import Any

import pytest
from predict_bodies import columns, rows


def test_special_numbers_go_in_and_come_out_by_name(served: Any) -> None:
    status, text = served.ask(
        "POST", "/v1/models/lengths:predict", '{"signature_name":"same","instances":[NaN,Infinity,-Infinity,1e300]}'
    )
    assert status == 200
    assert text.split("[")[1].split("\n")[0] == "NaN, Infinity, -Infinity, Infinity"
    first, second, *_ = json.loads(text)["predictions"]
    assert math.isnan(first)
    assert second == math.inf


@pytest.mark.parametrize(
    ("number", "written"),
    [
        ("0", "0.0"),
        ("-0.0", "-0.0"),
        ("3", "3.0"),
        ("0.1", "0.1"),
        ("0.25", "0.25"),
        ("123456", "123456.0"),
        ("1000000", "1e+06"),
        ("16777217", "16777216.0"),  # 24 bits of mantissa hold no more; six digits do not give it back, nine do
        ("0.00003", "3e-05"),
        ("0.333333333333", "0.333333343"),  # %.9g of the nearest float, 0.3333333432674407958984375
        ("1e38", "1e+38"),
    ],
)
def test_floats_are_written_as_few_digits_as_give_them_back(served: Any, number: str, written: str) -> None:
    body = f'{{"signature_name":"same","inputs":{number}}}'
    status, text = served.ask("POST", "/v1/models/lengths:predict", body)
    assert (status, text) == (200, f'{{\n    "outputs": {written}\n}}')


def test_bodies_break_their_lines_where_tf_serving_does(served: Any) -> None:
    _, text = served.ask("POST", "/v1/models/lengths:predict", rows("same", [1, 2], [3, 4]))
    assert text == '{\n    "predictions": [[1.0, 2.0], [3.0, 4.0]\n    ]\n}'
    _, text = served.ask("POST", "/v1/models/lengths:predict", columns("same", [1, 2]))
    assert text == '{\n    "outputs": [\n        1.0,\n        2.0\n    ]\n}'


def test_gzip_is_inflated_and_content_types_are_ignored(served: Any) -> None:
    body = gzip.compress(json.dumps(rows("length", "abc")).encode())
    path = "/v1/models/lengths:predict"
    assert json.loads(served.ask("POST", path, body, Content_Encoding="gzip")[1]) == {"predictions": [3.0]}
    plain = rows("length", "abc")
    assert served.ask("POST", path, plain, Content_Type="text/html")[0] == 200
    status, text = served.ask("POST", path, b"no gzip", Content_Encoding="gzip")
    assert (status, json.loads(text)["error"]) == (400, "JSON Parse error: The document is empty")
