"""Warm-up records, read with TensorFlow Serving's own protocol."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from textseq.export.endpoint import Endpoint, Input
from textseq.export.warmup import write_warmup


def test_tensorflow_serving_reads_the_records(tmp_path: Path) -> None:
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2", reason="needs textseq[serve]")
    inputs = (
        Input.make("text", tf.string, "日本", "A text."),
        Input.make("state", tf.float32, np.arange(200, dtype=np.float32), "A state.", (None, 200)),
        Input.make("seed", tf.int64, -1, "A seed."),
    )
    endpoints = [Endpoint(name, "", inputs, {}, dict) for name in ("serving_default", "step")]
    write_warmup(tmp_path / "records", endpoints)
    found = [logs.PredictionLog.FromString(r.numpy()) for r in tf.data.TFRecordDataset(str(tmp_path / "records"))]
    assert [log.predict_log.request.model_spec.signature_name for log in found] == ["serving_default", "step"]
    for log in found:
        assert log.WhichOneof("log_type") == "predict_log"
        sent = {name: tf.make_ndarray(tensor) for name, tensor in log.predict_log.request.inputs.items()}
        assert set(sent) == {"text", "state", "seed"}
        assert sent["text"].tolist() == ["日本".encode()]
        np.testing.assert_array_equal(sent["state"], np.arange(200)[None])
        assert (sent["seed"].dtype, sent["seed"].tolist()) == (np.int64, [-1])
