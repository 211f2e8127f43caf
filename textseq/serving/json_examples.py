"""From the `examples` of a classify or regress request to serialised `tf.train.Example`s.

Source: https://github.com/tensorflow/serving/blob/master/tensorflow_serving/util/json_tensor.cc
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorflow.core.example.example_pb2 import Example
from tensorflow.core.example.feature_pb2 import Feature

from textseq.serving.json_reading import text_bytes, type_name
from textseq.serving.json_scalars import decoded, is_base64
from textseq.serving.json_writing import shown
from textseq.serving.status import invalid

_KINDS = {"bytes_list": "bytes", "float_list": "float", "int64_list": "int64"}


def examples(request: Mapping[str, Any]) -> list[bytes]:
    """Returns an example for each item of `examples`, each after the features of `context`.

    Raises:
        ServingError: There are no examples, or one is not an object of values and lists of one kind.
    """
    context = _example(request["context"]) if "context" in request else b""
    if "examples" not in request:
        wrong = "When method is classify, key 'examples' is expected and was not found"
    elif not isinstance(request["examples"], list):
        wrong = "Expecting 'examples' value to be an list/array"
    elif not request["examples"]:
        wrong = "'examples' value is an empty array"
    else:
        return [context + _example(item) for item in request["examples"]]
    raise invalid(f"JSON Value: {shown(request)} {wrong}")


def _example(item: Any) -> bytes:
    if not isinstance(item, dict):
        raise invalid(f"Example must be JSON object but got JSON {type_name(item)}")
    example = Example()
    for name, content in item.items():
        feature = example.features.feature[name]
        for value in content if isinstance(content, list) else [content]:
            _add(feature, name, value)
    return example.SerializeToString()


def _add(feature: Feature, name: str, value: Any) -> None:
    if isinstance(value, bool):
        _list(feature, name, "int64_list").append(int(value))
    elif isinstance(value, str):
        _list(feature, name, "bytes_list").append(text_bytes(value))
    elif is_base64(value):
        _list(feature, name, "bytes_list").append(decoded(value))
    elif isinstance(value, float):
        _list(feature, name, "float_list").append(value)
    elif isinstance(value, int):
        if 2**63 <= value < 2**64:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        if -(2**63) <= value < 2**63:
            _list(feature, name, "int64_list").append(value)
        else:  # JSON has no such integer: it is a double
            _list(feature, name, "float_list").append(float(value))
    else:
        raise invalid(f"Feature: {name} has element with unexpected JSON type: {type_name(value)}")


def _list(feature: Feature, name: str, kind: str) -> Any:
    """Returns the feature's list, which is of one kind for good."""
    found = feature.WhichOneof("kind")
    if found not in (None, kind):
        raise invalid(f"Unexpected element type in feature: {name} expecting type: {_KINDS[found]}")
    return getattr(feature, kind).value
