"""Single values in JSON: which of them a type takes, and what they become.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/util/json_tensor.cc
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any

from textseq.serving.json_reading import text_bytes, type_name
from textseq.serving.json_writing import shown
from textseq.serving.status import Code, ServingError, invalid

Converter = Callable[[Any], Any]

_WORDS = {"float32": "float", "float64": "double", "float16": "half"}
_RANGES = {
    "int8": (-(2**31), 2**31),
    "int16": (-(2**31), 2**31),
    "uint8": (-(2**31), 2**31),
    "int32": (-(2**31), 2**31),
    "int64": (-(2**63), 2**63),
    "uint32": (0, 2**32),
    "uint64": (0, 2**64),
}


def converter(dtype: str) -> Converter:
    """Returns what turns a JSON scalar into a value of a type, and refuses those that it does not take.

    Args:
        dtype: NumPy's name of the type; `object` for strings.
    """
    if dtype == "object":
        return _string
    word = _WORDS.get(dtype, dtype)
    if dtype in ("float32", "float64"):
        return _taking(word, lambda value: type(value) in (int, float))
    if dtype == "bool":
        return _taking(word, lambda value: isinstance(value, bool))
    if dtype in _RANGES:
        low, high = _RANGES[dtype]
        return _taking(word, lambda value: type(value) is int and low <= value < high)
    return _refusing(word)


def is_base64(value: Any) -> bool:
    """Says whether a value is an object with `b64` and nothing else, which stands for bytes."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def decoded(value: Any) -> bytes:
    """Returns the bytes that an object with `b64` stands for.

    Raises:
        ServingError: It is not such an object, or not base64.
    """
    if not is_base64(value):
        raise invalid(f"JSON Value: {shown(value)} not formatted correctly for base64 data")
    try:
        text = "".join(value["b64"].split()).rstrip("=")
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (ValueError, binascii.Error) as error:
        raise invalid("Unable to base64 decode") from error


def _taking(word: str, fits: Callable[[Any], bool]) -> Converter:
    def convert(value: Any) -> Any:
        if fits(value):
            return value
        raise _wrong_type(value, word)

    return convert


def _refusing(word: str) -> Converter:
    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            raise _wrong_type(value, word)
        raise ServingError(Code.UNIMPLEMENTED, f"Conversion of JSON Value: {shown(value)} to type: {word}")

    return convert


def _string(value: Any) -> bytes:
    if isinstance(value, str):
        return text_bytes(value)
    if isinstance(value, dict):
        return decoded(value)
    raise _wrong_type(value, "string")


def _wrong_type(value: Any, word: str) -> ServingError:
    return invalid(f"JSON Value: {shown(value)} Type: {type_name(value)} is not of expected type: {word}")
