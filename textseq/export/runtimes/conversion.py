"""From a traced function to the file that a runtime loads."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textseq.errors import RunFailedError, problem
from textseq.evaluation.loading import Run
from textseq.export.runtimes.formats import RuntimeFormat
from textseq.export.runtimes.graph import predict_function, probabilities_function
from textseq.export.runtimes.process import call

_OPSET = 18  # of 2022; runtimes of the last three years know it
_SENTENCEPIECE_OPSET = ("ai.onnx.contrib", 1)


def convert(item: RuntimeFormat, run: Run, temperature: float, path: Path) -> None:
    """Writes the model.

    Args:
        item: The format.
        run: A classification run on TensorFlow.
        temperature: Of a calibrated classifier.
        path: The model's file, in a folder that is there.

    Raises:
        RunFailedError: The converter fails.
    """
    _WRITERS[item.name](run, temperature, path)


def shrink(item: RuntimeFormat, run: Run, temperature: float, exact: Path, path: Path) -> None:
    """Writes the model with 8-bit weights.

    Args:
        item: The format, one that shrinks.
        run: As for `convert`.
        temperature: As for `convert`.
        exact: What `convert` wrote.
        path: The smaller model's file, in a folder that is there.

    Raises:
        RunFailedError: The converter fails.
    """
    if item.name == "tflite":
        _tflite(run, temperature, path, int8=True)
    else:
        call(item.name, "shrink", {"model": str(exact), "to": str(path)})


def _onnx(run: Run, temperature: float, path: Path) -> None:
    import onnx
    import tf2onnx

    for name in ("tf2onnx", "tf2onnx.tfonnx"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what it cannot convert, the runtime refuses to load
    function = predict_function(run, temperature)
    try:
        tf2onnx.convert.from_function(
            function,
            input_signature=function.input_signature,
            opset=_OPSET,
            extra_opset=[onnx.helper.make_opsetid(*_SENTENCEPIECE_OPSET)],
            output_path=str(path),
        )
    except Exception as error:  # of any kind: the converter reads a graph that it may not know
        wrong = f"tf2onnx cannot convert the model ({type(error).__name__}: {error})"
        raise RunFailedError(
            problem("--format onnx", wrong, way_out="No ONNX was published; the SavedModel is")
        ) from error


def _openvino(run: Run, temperature: float, path: Path) -> None:
    """Labels are metadata and no output: OpenVINO frees constants of strings twice, which ends the process."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    function = predict_function(run, temperature, outputs=["probabilities"], sparse=True)
    frozen = path.with_name("frozen.pb")
    graph = convert_variables_to_constants_v2(function.get_concrete_function()).graph
    frozen.write_bytes(graph.as_graph_def().SerializeToString())
    inputs = ",".join(spec.name for spec in function.input_signature)
    labels = list(run.labels.names) if run.labels else []
    call("openvino", "convert", {"frozen": str(frozen), "inputs": inputs, "labels": labels, "model": str(path)})
    frozen.unlink()


def _tflite(run: Run, temperature: float, path: Path, *, int8: bool = False) -> None:
    """Weights of 8 bits are made by the converter alone; products with them are still of single precision."""
    import tensorflow as tf

    function = probabilities_function(run, temperature)
    module = tf.Module()
    module.kept = [variable.value for variable in run.model.variables]
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], module)
    if int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    try:
        path.write_bytes(converter.convert())
    except Exception as error:  # of any kind, as above
        wrong = f"TensorFlow Lite's converter cannot convert the model ({type(error).__name__}: {_first_line(error)})"
        raise RunFailedError(
            problem("--format tflite", wrong, way_out="No TensorFlow Lite was published; the SavedModel is")
        ) from error
    run.tokenizer.save(path.with_name("tokenizer"))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")


_WRITERS: dict[str, Callable[[Run, float, Path], Any]] = {"onnx": _onnx, "openvino": _openvino, "tflite": _tflite}
