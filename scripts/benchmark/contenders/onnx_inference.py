"""ONNX Runtime, on what stock Keras exports for it by way of tf2onnx."""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmark.batches import rows_of_one_length
from benchmark.contenders.stock_exported import with_probabilities
from benchmark.processes import CORES
from benchmark.specification import Contender, Model


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that asks the model once."""
    runtime: Any = importlib.import_module("onnxruntime")
    importlib.import_module("tf2onnx")  # named as what is missing, where it is
    options = runtime.SessionOptions()
    options.intra_op_num_threads = CORES
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.onnx"
        with_probabilities(model).export(str(path), format="onnx", verbose=False)
        session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    feeds = {given.name: rows_of_one_length(model)}

    def step() -> None:
        session.run(None, feeds)

    return step
