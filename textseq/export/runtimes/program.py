"""A program that loads a converted model in its runtime and asks it; TensorFlow, Keras and textseq are barred.

Usage: python program.py FORMAT ACTION REQUEST.json REPLY.json
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

BARRED = ("tensorflow", "keras", "textseq", "textseq_plugins")


def main(name: str, action: str, request: str, reply: str) -> None:
    """Does one action, and writes what comes of it."""
    for barred in BARRED:
        sys.modules[barred] = None  # type: ignore[assignment]  # an import of it fails
    asked = json.loads(Path(request).read_text(encoding="utf-8"))
    answer = _ACTIONS[name, action](asked)
    Path(reply).write_text(json.dumps(answer), encoding="utf-8")


def _onnx_answers(asked: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    import onnxruntime
    from onnxruntime_extensions import get_library_path

    options = onnxruntime.SessionOptions()
    options.register_custom_ops_library(get_library_path())
    session = onnxruntime.InferenceSession(asked["model"], options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    answers = []
    for block in asked["blocks"]:
        feeds = {name: np.array(texts, dtype=object) for name, texts in block.items()}
        values = session.run(names, feeds)
        answers.append({name: value.tolist() for name, value in zip(names, values, strict=True)})
    inputs = [item.name for item in session.get_inputs()]
    packages = ("onnxruntime", "onnxruntime-extensions", "onnx", "tf2onnx")
    return {"inputs": inputs, "outputs": names, "answers": answers, "packages": _versions(packages)}


def _onnx_shrink(asked: dict[str, Any]) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    inside_loops = {"EnableSubgraph": True}
    quantize_dynamic(asked["model"], asked["to"], weight_type=QuantType.QInt8, extra_options=inside_loops)


def _openvino_convert(asked: dict[str, Any]) -> None:
    import openvino
    import openvino_tokenizers  # noqa: F401  # its import teaches OpenVINO the ops of SentencePiece

    model = openvino.convert_model(asked["frozen"])
    for item in model.inputs:
        name = next(name for name in asked["inputs"].split(",") if f"{name}:0" in item.get_names())
        item.get_tensor().set_names({name})
    model.outputs[0].get_tensor().set_names({"probabilities"})
    model.set_rt_info(asked["labels"], ["model_info", "labels"])
    openvino.save_model(model, asked["model"], compress_to_fp16=False)


def _openvino_answers(asked: dict[str, Any]) -> dict[str, Any]:
    import openvino
    import openvino_tokenizers  # noqa: F401

    # Without the hint, processors that can compute in bfloat16 do, and probabilities have two digits.
    model = openvino.Core().compile_model(asked["model"], "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    names = [output.get_any_name() for output in model.outputs]
    answers = []
    for block in asked["blocks"]:
        found = model({name: openvino.Tensor(texts) for name, texts in block.items()})
        answers.append({name: found[name].tolist() for name in names})
    inputs = [item.get_any_name() for item in model.inputs]
    packages = ("openvino", "openvino-tokenizers")
    return {"inputs": inputs, "outputs": names, "answers": answers, "packages": _versions(packages)}


def _tflite_answers(asked: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(asked["model"])
    predict = interpreter.get_signature_runner()
    names = list(predict.get_output_details())
    answers = []
    for block in asked["blocks"]:
        found = predict(**{name: np.array(ids, np.int32) for name, ids in block.items()})
        answers.append({name: found[name].tolist() for name in names})
    inputs = list(predict.get_input_details())
    return {"inputs": inputs, "outputs": names, "answers": answers, "packages": _versions(("ai-edge-litert",))}


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    return {package: version(package) for package in packages}


_ACTIONS = {
    ("onnx", "answer"): _onnx_answers,
    ("onnx", "shrink"): _onnx_shrink,
    ("openvino", "convert"): _openvino_convert,
    ("openvino", "answer"): _openvino_answers,
    ("tflite", "answer"): _tflite_answers,
}

if __name__ == "__main__":
    main(*sys.argv[1:])
