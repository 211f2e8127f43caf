"""From the `instances` or `inputs` of a predict request to an array for each input of the signature.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/util/json_tensor.cc
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from textseq.serving.json_scalars import converter, is_base64
from textseq.serving.json_writing import shown
from textseq.serving.status import ServingError, invalid

INSTANCES = "instances"
INPUTS = "inputs"
_ONLY_ONE = f"Not formatted correctly expecting only one of '{INPUTS}' or '{INSTANCES}' keys to exist "
Shape = tuple[int, ...]


def request_format(request: Mapping[str, Any]) -> str:
    """Returns which of the two formats a predict request is in: `INSTANCES` for rows, `INPUTS` for columns.

    Raises:
        ServingError: It has neither, or both, or no rows.
    """
    if INSTANCES not in request:
        if INPUTS in request:
            return INPUTS
        raise invalid(f"Missing '{INPUTS}' or '{INSTANCES}' key")
    if INPUTS in request:
        raise invalid(f"JSON Value: {shown(request)} {_ONLY_ONE}")
    if not isinstance(request[INSTANCES], list):
        raise invalid(f"JSON Value: {shown(request)} Expecting '{INSTANCES}' to be an list/array")
    if not request[INSTANCES]:
        raise invalid(f"JSON Value: {shown(request)} No values in '{INSTANCES}' array")
    return INSTANCES


def from_instances(instances: list[Any], dtypes: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Stacks rows into arrays of shape (rows, …).

    Args:
        instances: Bare values where there is one input, else an object with exactly the inputs' names each.
        dtypes: NumPy name of each input's type; strings are `object`.

    Raises:
        ServingError: A row is not of the kind, the shape, the type or the keys that it has to be.
    """
    named = _is_named(instances[0])
    if not isinstance(instances[0], dict) and len(dtypes) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    batches = {name: _Batch(name, dtype) for name, dtype in dtypes.items()}
    for number, instance in enumerate(instances):
        if named != _is_named(instance):
            kinds = ("object but got list", "value/list but got object")
            raise invalid(f"Expecting {kinds[0 if named else 1]} at item {number} of input list")
        if named:
            _add_members(batches, instance, number)
        else:
            _add(batches[next(iter(dtypes))], instance, f"element: {number}")
    return {name: batch.array(len(instances)) for name, batch in batches.items()}


def from_inputs(inputs: Any, dtypes: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Turns each column into an array of the shape that it has.

    Args:
        inputs: A bare value where there is one input, else an object; names that are no inputs are ignored.
        dtypes: NumPy name of each input's type; strings are `object`.

    Raises:
        ServingError: An input is missing, ragged or of another type.
    """
    if not _is_named(inputs):
        if len(dtypes) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
                "tensorinfo_map"
            )
        inputs = {next(iter(dtypes)): inputs}
    arrays = {}
    for name, dtype in dtypes.items():
        if name not in inputs:
            raise invalid(f"Missing named input: {name} in 'inputs' object.")
        values: list[Any] = []
        shape = _dense_shape(inputs[name])
        _fill(inputs[name], 0, shape, converter(dtype), values)
        arrays[name] = _array(values, shape, dtype)
    return arrays


class _Batch:
    """The rows of one input, which all have the first one's shape."""

    def __init__(self, name: str, dtype: str) -> None:
        self.name = name
        self.dtype = dtype
        self.convert = converter(dtype)
        self.values: list[Any] = []
        self.shape: Shape | None = None

    def add(self, value: Any) -> None:
        shape, before = _dense_shape(value), len(self.values)
        _fill(value, 0, shape, self.convert, self.values)
        if self.shape is None:
            self.shape = shape
        elif self.shape != shape:
            first, size = _size(self.shape), len(self.values) - before
            if first != size:
                raise invalid(f"Expecting tensor size: {first} but got: {size}")
            raise invalid(f"Expecting shape {_listed(self.shape)} but got: {_listed(shape)}")

    def array(self, rows: int) -> np.ndarray:
        return _array(self.values, (rows, *(self.shape or ())), self.dtype)


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _add_members(batches: Mapping[str, _Batch], instance: dict[str, Any], number: int) -> None:
    for key, value in instance.items():
        if key not in batches:
            error = invalid(f"JSON object: does not have named input: {key}")
            raise invalid(f"Failed to process element: {number} key: {key} of 'instances' list. Error: {error}")
        _add(batches[key], value, f"element: {number} key: {key}")
    if len(instance) != len(batches):
        raise invalid(
            f"Failed to process element: {number} of 'instances' list. JSON object: {shown(instance)} "
            f"keys must be equal to: {','.join(sorted(batches))}"
        )


def _add(batch: _Batch, value: Any, place: str) -> None:
    try:
        batch.add(value)
    except ServingError as error:
        raise invalid(f"Failed to process {place} of 'instances' list. Error: {error}") from error


def _dense_shape(value: Any) -> Shape:
    """Returns the shape by the first element at each depth; `_fill` sees whether the others agree."""
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        if not value:
            break
        value = value[0]
    return tuple(shape)


def _fill(value: Any, level: int, shape: Shape, convert: Callable[[Any], Any], values: list[Any]) -> None:
    """Appends every scalar of `value`, depth first."""
    if not isinstance(value, list):
        if level != len(shape):
            raise invalid(
                f"JSON Value: {shown(value)} found at incorrect level: {level + 1} in the JSON DOM. "
                f"Expected at level: {len(shape)}"
            )
        values.append(convert(value))
        return
    if level >= len(shape):
        raise invalid(f"Encountered list at unexpected level: {level} expected < {len(shape)}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for element in value:
        _fill(element, level + 1, shape, convert, values)


def _array(values: list[Any], shape: Shape, dtype: str) -> np.ndarray:
    """Returns an array; an integer of more than the type's bits wraps around, as a C cast does."""
    try:
        if dtype == "object":
            array = np.empty(len(values), object)
            array[:] = values
        elif dtype in ("float32", "float64"):
            with np.errstate(over="ignore"):
                array = np.array([float(value) for value in values], np.float64).astype(dtype)
        else:
            array = np.array(values, "uint64" if dtype == "uint64" else "int64").astype(dtype)
        return array.reshape(shape)
    except (ValueError, OverflowError) as error:
        raise invalid(str(error)) from error


def _size(shape: Shape) -> int:
    return int(np.prod(shape, dtype=np.int64))


def _listed(shape: Shape) -> str:
    return f"[{','.join(map(str, shape))}]"
