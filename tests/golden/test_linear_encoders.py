"""Encoders on the linear recurrence against their papers' equations, step by step in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from textseq.registry import encoders


def sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def gelu(x: Any) -> Any:
    return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


@pytest.mark.parametrize("candidate", ["linear", "positive"])
def test_mingru_is_its_papers_equations(candidate: str, golden: Callable[..., Any]) -> None:
    found = golden("mingru", candidate=candidate)
    w, h = found.weights, np.zeros(4)
    for x, output in zip(found.inputs, found.outputs, strict=True):
        z = sigmoid(x @ w["update_kernel"] + w["update_bias"])
        new = x @ w["candidate_kernel"] + w["candidate_bias"]
        if candidate == "positive":
            new = np.where(new >= 0, new + 0.5, sigmoid(new))
        h = (1 - z) * h + z * new
        np.testing.assert_allclose(output, h, atol=1e-6)


@pytest.mark.parametrize("candidate", ["linear", "positive"])
def test_minlstm_is_its_papers_equations(candidate: str, golden: Callable[..., Any]) -> None:
    found = golden("minlstm", candidate=candidate)
    w, h = found.weights, np.zeros(4)
    for x, output in zip(found.inputs, found.outputs, strict=True):
        forget, admit = (sigmoid(x @ w[f"{gate}_kernel"] + w[f"{gate}_bias"]) for gate in ("forget", "input"))
        new = x @ w["candidate_kernel"] + w["candidate_bias"]
        if candidate == "positive":
            new = np.where(new >= 0, new + 0.5, sigmoid(new))
        h = (forget * h + admit * new) / (forget + admit)
        np.testing.assert_allclose(output, h, atol=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "linear"])
def test_sru_is_its_papers_equations(activation: str, golden: Callable[..., Any]) -> None:
    found = golden("sru", activation=activation)
    w, c = found.weights, np.zeros(4)
    for x, output in zip(found.inputs, found.outputs, strict=True):
        forget, reset = (sigmoid(x @ w[f"{gate}_kernel"] + w[f"{gate}_bias"]) for gate in ("forget", "reset"))
        c = forget * c + (1 - forget) * (x @ w["candidate_kernel"])
        shown = np.tanh(c) if activation == "tanh" else c
        h = reset * shown + (1 - reset) * (x @ w["highway_kernel"])  # inputs are of another width
        np.testing.assert_allclose(output, h, atol=1e-6)


def test_rglru_is_its_papers_block(golden: Callable[..., Any]) -> None:
    found = golden("rglru", feed_forward=2.0)
    block = found.encoder.blocks[0]

    def dense(layer: Any, x: Any) -> Any:
        return x @ np.asarray(layer.kernel, "float64") + (
            0 if layer.bias is None else np.asarray(layer.bias, "float64")
        )

    def norm(layer: Any, x: Any) -> Any:
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * np.asarray(layer.scale, "float64")

    x = dense(found.encoder.entry, found.inputs)
    normed = norm(block.norms[0], x)
    branch, gate = dense(block.branch, normed), gelu(dense(block.gate, normed))
    kernel, bias = (np.asarray(part, "float64") for part in block.window.get_weights())
    padded = np.concatenate([np.zeros((3, 4)), branch])
    convolved = np.stack([(padded[t : t + 4] * kernel[:, 0]).sum(0) + bias for t in range(len(x))])
    w = {weight.name: np.asarray(weight, "float64") for weight in block.recurrence.weights}
    h, states = np.zeros(4), []
    for step in convolved:
        r, i = (sigmoid(step @ w[f"{name}_kernel"] + w[f"{name}_bias"]) for name in ("recurrence", "input"))
        a = sigmoid(w["slowness"]) ** (8 * r)
        h = a * h + np.sqrt(1 - a**2) * (i * step)
        states.append(h)
    x = x + dense(block.merge, gate * np.stack(states))
    normed = norm(block.norms[1], x)
    x = x + dense(block.narrow, gelu(dense(block.wide[0], normed)) * dense(block.wide[1], normed))
    np.testing.assert_allclose(found.outputs, norm(found.encoder.final_norm, x), atol=1e-5)


def test_rglru_keeps_nine_tenths_to_all_but_a_thousandth_at_first() -> None:
    keras.utils.set_random_seed(0)
    encoder = encoders.get("rglru")(1000, causal=True, feed_forward=0.0)
    encoder(np.zeros((1, 1, 1000), "float32"))
    (slowness,) = (weight for weight in encoder.weights if weight.name == "slowness")
    kept = sigmoid(np.asarray(slowness, "float64")) ** 8
    assert 0.9 <= kept.min() < 0.901
    assert 0.998 < kept.max() <= 0.9991
    assert kept.mean() == pytest.approx(0.9495, abs=0.003)  # uniform: standard error 0.0286 / sqrt(1000) = 0.0009
