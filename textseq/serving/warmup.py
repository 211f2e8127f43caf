"""The requests that come with an export and have to succeed before it is served.

Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

from textseq.serving import example_inference, prediction
from textseq.serving.servable import Servable
from textseq.serving.status import Code, ServingError, invalid
from textseq.serving.tensor_protos import arrays, serialized_examples

REQUESTS = Path("assets.extra") / "tf_serving_warmup_requests"
_MOST_RECORDS = 1000


def warm_up(servable: Servable) -> int:
    """Replays the warm-up requests of a loaded version; returns how many there were.

    Raises:
        ServingError: The file is no TFRecord of PredictionLog, holds over 1,000 records, or a request failed.
    """
    path = servable.folder / REQUESTS
    if not path.is_file():
        return 0
    replayed = 0
    for record in _records(path):
        log = PredictionLog()
        try:
            log.ParseFromString(record)
        except DecodeError as error:
            raise invalid(f"Failed to parse warmup record: {record[:100]!r} from {path}") from error
        _replay(servable, log)
        replayed += 1
        if replayed > _MOST_RECORDS:
            raise invalid(f"Number of warmup records exceeds the maximum ({_MOST_RECORDS}) at {path}")
    return replayed


def _records(path: Path) -> Iterator[bytes]:
    try:
        yield from tf.compat.v1.io.tf_record_iterator(str(path))  # deprecated, and TF Serving's own reader
    except tf.errors.DataLossError as error:
        message = f"{error.message}. Please verify your warmup data is in TFRecord format."
        raise ServingError(Code.DATA_LOSS, message) from error
    except tf.errors.OpError as error:
        raise ServingError(Code(error.error_code), str(error.message)) from error


def _replay(servable: Servable, log: PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        request = log.predict_log.request
        name = request.model_spec.signature_name
        prediction.predict(servable, name, arrays(request.inputs), request.output_filter)
    elif kind == "classify_log":
        request = log.classify_log.request
        example_inference.classify(servable, request.model_spec.signature_name, serialized_examples(request.input))
    elif kind == "regress_log":
        request = log.regress_log.request
        example_inference.regress(servable, request.model_spec.signature_name, serialized_examples(request.input))
    elif kind == "multi_inference_log":
        request = log.multi_inference_log.request
        tasks = [(task.model_spec.signature_name, task.method_name) for task in request.tasks]
        example_inference.multi_inference(servable, tasks, serialized_examples(request.input))
    elif kind is not None:
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
