"""ONNX Runtime, on what PyTorch exports for it: there an LSTM is one operator, which no conversion from Keras gives."""

from __future__ import annotations

import importlib
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from benchmark.batches import rows_of_one_length
from benchmark.contenders.pytorch import Classifier
from benchmark.processes import CORES
from benchmark.specification import Contender, Model


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that asks the model once."""
    runtime: Any = importlib.import_module("onnxruntime")
    importlib.import_module("onnx")  # named as what is missing, where it is
    options = runtime.SessionOptions()
    options.intra_op_num_threads = CORES
    token_ids = rows_of_one_length(model).astype("int64")
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.onnx"
        made = torch.nn.Sequential(Classifier(model), torch.nn.Softmax(-1)).eval()
        with warnings.catch_warnings(action="ignore"):  # the exporter that needs no further package is the older one
            torch.onnx.export(made, (torch.from_numpy(token_ids),), str(path), input_names=["token_ids"], dynamo=False)
        session = runtime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])

    def step() -> None:
        session.run(None, {"token_ids": token_ids})

    return step
