"""Warm-up requests: TensorFlow Serving runs them before a version serves, so that a bad one never does.

A record is a `PredictionLog` of TensorFlow Serving's protocol. Its few fields are written here by hand, since the
package that defines them is not needed for anything else in an export.

Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

from textseq.export.endpoint import Endpoint, one_row

FILE = "tf_serving_warmup_requests"
# Field numbers of prediction_log.proto, predict.proto and model.proto.
_LOG_PREDICT, _PREDICT_REQUEST = 6, 1
_REQUEST_MODEL, _REQUEST_INPUTS = 1, 2
_MODEL_SIGNATURE = 3
_KEY, _VALUE = 1, 2
_DELIMITED = 2


def write_warmup(path: Path, endpoints: Sequence[Endpoint]) -> None:
    """Writes one request for each signature, with its inputs' examples."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for endpoint in endpoints:
            writer.write(_prediction_log(endpoint))


def _prediction_log(endpoint: Endpoint) -> bytes:
    request = _field(_REQUEST_MODEL, _field(_MODEL_SIGNATURE, endpoint.name.encode()))
    for item in endpoint.inputs:
        tensor = tf.make_tensor_proto(one_row(item), dtype=item.spec.dtype).SerializeToString()
        request += _field(_REQUEST_INPUTS, _field(_KEY, item.spec.name.encode()) + _field(_VALUE, tensor))
    return _field(_LOG_PREDICT, _field(_PREDICT_REQUEST, request))


def _field(number: int, content: bytes) -> bytes:
    """Returns a length-delimited field of a protocol buffer."""
    return _varint(number << 3 | _DELIMITED) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
