"""What layers show of themselves is what they compute with."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers.attention import SelfAttention
from textseq.layers.observing import observations, observe, observed
from textseq.layers.recurrence.layer import RecurrentLayer


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("reverse", [False, True])
def test_an_lstms_output_is_its_gate_times_its_cell_and_the_cell_follows_the_gates(reverse: bool) -> None:
    keras.utils.set_random_seed(1)
    layer = RecurrentLayer("lstm", 4, reverse=reverse)
    inputs = noise(6, 2, 3)  # (time, batch, features)
    layer.build(inputs.shape)
    with observations() as found:
        outputs, _ = layer(inputs)
    (seen,) = found
    gates = {name: np.asarray(ops.convert_to_numpy(tensor)) for name, tensor in seen.tensors.items()}
    assert list(gates) == ["input gate", "forget gate", "output gate", "cell"]
    assert seen.layer.endswith(", backwards") is reverse
    batch_first = np.transpose(ops.convert_to_numpy(outputs), (1, 0, 2))
    assert gates["output gate"] * np.tanh(gates["cell"]) == pytest.approx(batch_first, abs=1e-5)
    order = slice(None, None, -1 if reverse else 1)
    cell, kept, written = (gates[name][:, order] for name in ("cell", "forget gate", "input gate"))
    candidates = (cell[:, 1:] - kept[:, 1:] * cell[:, :-1]) / written[:, 1:]
    assert (np.abs(candidates) <= 1 + 1e-4).all()  # what is written goes through tanh


@pytest.mark.parametrize("cell", ["rnn", "gru"])
def test_the_state_shown_is_the_output(cell: str) -> None:
    layer = RecurrentLayer(cell, 4)
    inputs = noise(6, 2, 3)
    layer.build(inputs.shape)
    with observations() as found:
        outputs, _ = layer(inputs)
    state = np.asarray(ops.convert_to_numpy(found[0].tensors["state"]))
    assert state == pytest.approx(np.transpose(ops.convert_to_numpy(outputs), (1, 0, 2)), abs=1e-6)


def test_attention_shows_weights_that_sum_to_one_and_hide_the_future() -> None:
    layer = SelfAttention(8, heads=2, kv_heads=1, causal=True, context=16)
    with observations() as found:
        layer(noise(3, 5, 8))
    weights = np.asarray(ops.convert_to_numpy(found[0].tensors["weights"]))
    assert weights.shape == (3, 2, 5, 5)
    assert weights.sum(-1) == pytest.approx(np.ones((3, 2, 5)), abs=1e-5)
    assert (weights[..., *np.triu_indices(5, 1)] == 0).all()


def test_nothing_is_kept_where_nobody_listens() -> None:
    assert not observed()
    observe("steps", "a layer", gate=noise(1))
    with observations() as outer:
        assert observed()
        with observations() as inner:
            observe("steps", "a layer", a_gate=noise(1))
    assert not observed()
    assert outer == []
    assert [list(one.tensors) for one in inner] == [["a gate"]]
