"""The way to cuDNN: when it is taken, why not where it is not, and that it gives what our own recurrence gives."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers.recurrence import CELLS, cudnn
from textseq.layers.recurrence.layer import RecurrentLayer
from textseq.layers.recurrence.operation import recur

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="cuDNN is taken under TensorFlow")


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_layer_behind_it_gives_our_outputs_and_states(cell: str, reverse: bool) -> None:
    generator = np.random.default_rng(0)
    layer = RecurrentLayer(cell, 6, reverse=reverse)
    layer.build((None, None, 5))
    weights = tuple(
        ops.convert_to_tensor(generator.normal(size=weight.shape, scale=0.5).astype("float32"))
        for weight in (layer.kernel, layer.recurrent_kernel, layer.bias)
    )
    inputs = ops.convert_to_tensor(generator.normal(size=(7, 3, 5)).astype("float32"))  # (time, batch, features)
    states = tuple(
        ops.convert_to_tensor(generator.normal(size=(3, 6)).astype("float32")) for _ in range(CELLS[cell].states)
    )
    real = np.arange(7)[:, None] < np.array([7, 4, 1])  # (time, batch)
    mask = ops.convert_to_tensor(real.astype("float32")[..., None])
    ours, our_last = recur(CELLS[cell], inputs, weights, states, mask=mask, reverse=reverse)
    stock, stock_last = cudnn.recur_stock(cell, inputs, weights, states, mask=mask, reverse=reverse)
    assert np.abs(ops.convert_to_numpy(ours) - ops.convert_to_numpy(stock))[real].max() < 1e-5
    for mine, theirs in zip(our_last, stock_last, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(mine), ops.convert_to_numpy(theirs), atol=1e-5)


@on_tensorflow
@pytest.mark.parametrize(
    ("cell", "options", "reason"),
    [
        ("rnn", {}, "not for rnn"),
        ("lstm", {"recurrent_dropout": 0.2}, "recurrent dropout"),
        ("gru", {"operands": "bfloat16"}, "float32, not bfloat16"),
    ],
)
def test_what_it_cannot_do_is_said(
    cell: str, options: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cudnn, "has_gpu", lambda: True)
    assert cudnn.refusal("lstm") is None
    assert reason in str(cudnn.refusal(cell, **options))


@on_tensorflow
def test_with_a_gpu_a_layer_takes_it_and_without_one_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    taken = cudnn.recur_stock

    def noting(cell: str, *arguments: Any, **options: Any) -> Any:
        asked.append(cell)
        return taken(cell, *arguments, **options)

    monkeypatch.setattr("textseq.layers.recurrence.layer.recur_stock", noting)
    layer = RecurrentLayer("lstm", 6)
    inputs = ops.convert_to_tensor(np.random.default_rng(0).normal(size=(7, 3, 5)).astype("float32"))
    before, _ = layer(inputs)
    assert asked == []
    assert layer.cudnn_refusal == "there is no GPU"
    monkeypatch.setattr(cudnn, "has_gpu", lambda: True)
    after, _ = layer(inputs)
    assert asked == ["lstm"]
    np.testing.assert_allclose(ops.convert_to_numpy(after), ops.convert_to_numpy(before), atol=1e-6)
