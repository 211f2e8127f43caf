"""JSON as TF Serving reads it: what its parser accepts, and what it says of what it does not.

Source: https://rapidjson.org/md_doc_dom.html#Parsing
"""

from __future__ import annotations

import json
import re
from typing import Any

from textseq.serving.json_writing import shown
from textseq.serving.status import ServingError, invalid

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACES = " \t\n\r"
_OBJECT_MEMBER = "Missing a comma or '}' after an object member."
_ARRAY_ELEMENT = "Missing a comma or ']' after an array element."
_MEANINGS = (  # what Python's parser says: what TF Serving's says
    ("Expecting value", "Invalid value."),
    ("Expecting property name", "Missing a name for object member."),
    ("Illegal trailing comma before end of object", "Missing a name for object member."),
    ("Illegal trailing comma before end of array", "Invalid value."),
    ("Expecting ':'", "Missing a colon after a name of object member."),
    ("Unterminated string", "Missing a closing quotation mark in string."),
    ("Invalid control character", "Invalid encoding in string."),
    ("Invalid \\u", "Incorrect hex digit after \\u escape in string."),
    ("Invalid \\", "Invalid escape character in string."),
)
_SURROGATES = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<lone>u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)
_TYPES = {type(None): "Null", dict: "Object", list: "Array", str: "String", int: "Number", float: "Number"}


class _TooBigError(ValueError):
    """A number that no double holds."""


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise _TooBigError
    return value


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else dict(reversed(pairs))


_DECODER = json.JSONDecoder(parse_float=_number, object_pairs_hook=_first_wins)


def read_object(body: bytes) -> dict[str, Any]:
    """Returns the JSON object that `body` begins with; what follows it is ignored, as TF Serving ignores it.

    Bytes that are no UTF-8 come through as lone surrogates, for `text_bytes` to turn back.

    Raises:
        ServingError: There is no JSON, or no object.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    text = body.removeprefix(_BYTE_ORDER_MARK).decode("utf-8", "surrogateescape")
    start = len(text) - len(text.lstrip(_SPACES))
    if start == len(text):
        raise _unreadable("The document is empty.", text, start)
    value = _value(text, start)
    if not isinstance(value, dict):
        raise invalid(f"JSON Value: {shown(value)} Is not object")
    return value


def text_bytes(text: str) -> bytes:
    """Returns the very bytes that stood in the body for a string."""
    return text.encode("utf-8", "surrogateescape")


def type_name(value: Any) -> str:
    """Returns the name of a JSON value's type as error messages give it."""
    return str(value) if isinstance(value, bool) else _TYPES[type(value)]


def _value(text: str, start: int) -> Any:
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _unreadable(_meaning(error), text, error.pos) from error
    except _TooBigError as error:
        raise _unreadable("Number too big to be stored in double.", text, start) from error
    except ValueError as error:  # an integer of thousands of digits
        raise _unreadable("Number too big to be stored in double.", text, start) from error
    except RecursionError as error:
        raise invalid("JSON Parse error: lists or objects are nested too deep") from error
    if "\\u" in text:
        for match in _SURROGATES.finditer(text, start, end):
            if match["lone"]:
                raise _unreadable("The surrogate pair in string is invalid.", text, match.start())
    return value


def _meaning(error: json.JSONDecodeError) -> str:
    if error.msg.startswith("Expecting ','"):
        return _OBJECT_MEMBER if _inside_object(error.doc[: error.pos]) else _ARRAY_ELEMENT
    return next((ours for python, ours in _MEANINGS if error.msg.startswith(python)), "Invalid value.")


def _inside_object(before: str) -> bool:
    """Says whether the innermost bracket that is open at the end of `before` is a curly one."""
    brackets = re.sub(r'"(?:\\.|[^"\\])*"', "", before, flags=re.DOTALL)
    opened: list[str] = []
    for character in re.findall(r"[\[\]{}]", brackets):
        if character in "[{":
            opened.append(character)
        elif opened:
            opened.pop()
    return bool(opened) and opened[-1] == "{"


def _unreadable(meaning: str, text: str, position: int) -> ServingError:
    offset = len(text_bytes(text[:position]))
    return invalid(f"JSON Parse error: {meaning} at offset: {offset}")
