"""JSON as TF Serving writes it: its number format, its escapes, its line breaks.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/util/json_tensor.cc
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from textseq.serving.status import ServingError, invalid

_SHOWN_BYTES = 256
_ESCAPES = {number: f"\\u{number:04X}" for number in range(32)}
_ESCAPES |= {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}
_WRITTEN = {"float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "bool", "object"}
_TYPE_NAMES = {"float16": "half", "object": "string"}


def quoted(text: str) -> str:
    """Returns a JSON string; only what must be escaped is."""
    return f'"{text.translate(_ESCAPES)}"'


def decimals(values: np.ndarray) -> list[str]:
    """Returns each number as six significant digits, or as all of them where six do not give the number back."""
    flat = values.reshape(-1)
    numbers = flat.tolist()
    texts = [f"{number:g}" for number in numbers]
    digits = 9 if flat.dtype == np.float32 else 17
    with np.errstate(over="ignore"):
        read = np.array([float(text) for text in texts], np.float64).astype(flat.dtype)
    for position in np.flatnonzero(read != flat):
        texts[position] = f"{numbers[position]:.{digits}g}"
    return [_SPECIAL.get(text) or (text if "." in text or "e" in text else f"{text}.0") for text in texts]


_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def error_body(message: str) -> bytes:
    """Returns the body of every error."""
    return f'{{\n    "error": {quoted(message)}\n}}'.encode("utf-8", "surrogateescape")


def predictions_body(outputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns the reply in row format; every output has the batch first.

    Raises:
        ServingError: An output has no batch, another batch than the others, or a type that JSON does not hold.
    """
    batch = _batch(outputs)
    several = len(outputs) > 1
    level = 3 if several else 2  # how deep a value stands: the object, the list, perhaps an object again
    columns = {name: _rows(name, values, level) for name, values in outputs.items()}
    if several:
        items = [_member_lines(columns, row) for row in range(batch)]
        listed = ",".join(f"\n        {{{item}\n        }}" for item in items)
    else:
        listed = ", ".join(next(iter(columns.values())))
    end = "\n    ]" if batch else "]"
    return _encoded(f'{{\n    "predictions": [{listed}{end}\n}}')


def outputs_body(outputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns the reply in column format.

    Raises:
        ServingError: An output has a type that JSON does not hold.
    """
    if len(outputs) == 1:
        ((name, values),) = outputs.items()
        return _encoded(f'{{\n    "outputs": {_column(name, values, 1)}\n}}')
    members = (f"\n        {quoted(name)}: {_column(name, values, 2)}" for name, values in outputs.items())
    return _encoded(f'{{\n    "outputs": {{{",".join(members)}\n    }}\n}}')


def classes_body(rows: Sequence[Sequence[tuple[bytes, float]]]) -> bytes:
    """Returns the reply to classify: lists of [label, score] by example."""
    listed = []
    for row in rows:
        scores = decimals(np.array([score for _, score in row], np.float32))
        pairs = (f"[{_string(label)}, {score}]" for (label, _), score in zip(row, scores, strict=True))
        listed.append(f"[{', '.join(pairs)}]")
    return _encoded(f'{{\n    "results": [{", ".join(listed)}\n    ]\n}}')


def regressions_body(values: np.ndarray) -> bytes:
    """Returns the reply to regress: a number by example."""
    return _encoded(f'{{\n    "results": [{", ".join(decimals(values))}]\n}}')


def shown(value: Any) -> str:
    """Returns a value that came in as JSON, cut at about 256 bytes, as error messages show it."""
    parts, size = [], 0
    for part in _pieces(value, 0):
        parts.append(part)
        size += len(part)
        if size >= _SHOWN_BYTES:
            break
    return "".join(parts)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _string(value: bytes) -> str:
    return quoted(value.decode("utf-8", "surrogateescape"))


def _batch(outputs: Mapping[str, np.ndarray]) -> int:
    batch = -1
    for name, values in outputs.items():
        if values.ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if batch not in (-1, len(values)):
            raise invalid(f"Tensor name: {name} has inconsistent batch size: {len(values)} expecting: {batch}")
        batch = len(values)
    return batch


def _member_lines(columns: Mapping[str, Sequence[str]], row: int) -> str:
    return ",".join(f"\n            {quoted(name)}: {rows[row]}" for name, rows in columns.items())


def _rows(name: str, values: np.ndarray, level: int) -> list[str]:
    """Returns the text of each row, its lists on one line."""
    texts = iter(_scalars(name, values, level + values.ndim - 1))
    return [_on_one_line(texts, values.shape[1:]) for _ in range(len(values))]


def _on_one_line(texts: Iterator[str], shape: tuple[int, ...]) -> str:
    if not shape:
        return next(texts)
    if len(shape) == 1:
        return f"[{', '.join(islice(texts, shape[0]))}]"
    return f"[{', '.join([_on_one_line(texts, shape[1:]) for _ in range(shape[0])])}]"


def _column(name: str, values: np.ndarray, level: int) -> str:
    return _on_lines(iter(_scalars(name, values, level + values.ndim)), values.shape, level)


def _on_lines(texts: Iterator[str], shape: tuple[int, ...], level: int) -> str:
    if not shape:
        return next(texts)
    if not shape[0]:
        return "[]"
    indent = "    " * (level + 1)
    items = [_on_lines(texts, shape[1:], level + 1) for _ in range(shape[0])]
    return f"[\n{indent}" + f",\n{indent}".join(items) + f"\n{'    ' * level}]"


def _scalars(name: str, values: np.ndarray, level: int) -> list[str]:
    """Returns every value's text; an output of bytes is one whose name ends in `_bytes`."""
    kind = str(values.dtype)
    if kind not in _WRITTEN:
        raise _unwritable(kind)
    if kind == "object":
        strings = values.reshape(-1).tolist()
        return [_base64(value, level) for value in strings] if name.endswith("_bytes") else list(map(_string, strings))
    if kind.startswith("float"):
        return decimals(values)
    if kind == "bool":
        return ["true" if value else "false" for value in values.reshape(-1).tolist()]
    return list(map(str, values.reshape(-1).tolist()))


def _base64(value: bytes, level: int) -> str:
    indent = "    " * level
    return f'{{\n{indent}    "b64": "{base64.b64encode(value).decode("ascii")}"\n{indent}}}'


def _unwritable(kind: str) -> ServingError:
    return invalid(f"Failed to write JSON value for tensor type: {_TYPE_NAMES.get(kind, kind)}")


def _pieces(value: Any, level: int) -> Iterator[str]:
    """Yields the text of a value in pieces: members of objects on lines, lists on one."""
    if isinstance(value, dict):
        yield "{"
        for position, (key, member) in enumerate(value.items()):
            yield f"{',' if position else ''}\n{'    ' * (level + 1)}{quoted(key)}: "
            yield from _pieces(member, level + 1)
        yield f"\n{'    ' * level}}}" if value else "}"
    elif isinstance(value, list):
        yield "["
        for position, element in enumerate(value):
            if position:
                yield ", "
            yield from _pieces(element, level + 1)
        yield "]"
    else:
        yield _piece(value)


def _piece(value: Any) -> str:
    if isinstance(value, str):
        return quoted(value)
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return _SPECIAL.get(text, text)
