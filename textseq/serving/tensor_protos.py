"""Arrays to and from the tensors and examples of gRPC messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from textseq.serving.status import Code, ServingError, invalid

_FIELDS = {
    "float32": "float_val",
    "float64": "double_val",
    "int8": "int_val",
    "int16": "int_val",
    "int32": "int_val",
    "uint8": "int_val",
    "uint16": "int_val",
    "int64": "int64_val",
    "uint32": "uint32_val",
    "uint64": "uint64_val",
    "bool": "bool_val",
    "object": "string_val",
}
_MOST_ELEMENTS = 2**28  # a shape costs nothing to claim: 1 GiB of floats could come as one value


def array(name: str, tensor: TensorProto) -> np.ndarray:
    """Returns a tensor's values.

    Raises:
        ServingError: The tensor holds fewer values than its shape says, or of no known type.
    """
    if np.prod([max(dim.size, 0) for dim in tensor.tensor_shape.dim], dtype=np.float64) > _MOST_ELEMENTS:
        raise ServingError(Code.RESOURCE_EXHAUSTED, f"tensor {name} has more than {_MOST_ELEMENTS} elements")
    try:
        values = tf.make_ndarray(tensor)
    except (TypeError, ValueError, KeyError) as error:
        raise invalid(f"tensor parsing error: {name}") from error
    return values


def tensor(values: np.ndarray) -> TensorProto:
    """Returns a tensor whose values stand in the field of their type, where clients look for them."""
    field = _FIELDS.get(str(values.dtype))
    if field is None:
        return tf.make_tensor_proto(values)
    kind = tf.string if values.dtype == object else tf.as_dtype(values.dtype)
    proto = TensorProto(dtype=kind.as_datatype_enum, tensor_shape=tf.TensorShape(values.shape).as_proto())
    getattr(proto, field).extend(values.reshape(-1).tolist())
    return proto


def arrays(tensors: Mapping[str, TensorProto]) -> dict[str, np.ndarray]:
    """Returns the values of named tensors.

    Raises:
        ServingError: One of them is broken.
    """
    return {name: array(name, proto) for name, proto in tensors.items()}


def serialized_examples(given: Any) -> list[bytes]:
    """Returns the examples of an `Input` message, each after the features of its context."""
    if given.HasField("example_list_with_context"):
        context = given.example_list_with_context.context.SerializeToString()
        return [context + example.SerializeToString() for example in given.example_list_with_context.examples]
    return [example.SerializeToString() for example in given.example_list.examples]
