"""Attention compiled for this processor is the backend's: outputs and gradients, whoever sees whom."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from both_backends import value_and_gradients
from keras import ops

from textseq.layers.attention import SelfAttention
from textseq.layers.native.operations import wide_refusal

pytestmark = pytest.mark.skipif(wide_refusal() is not None, reason=f"nothing is compiled: {wide_refusal()}")
TENSORFLOW = keras.backend.backend() == "tensorflow"
TEXTS = 3

# (heads, heads of keys and values, width of one, steps): one of each; parts of vectors; shared keys; queries in
# several turns; more steps than a block of sums has.
SHAPES = [(1, 1, 2, 1), (2, 2, 10, 37), (4, 2, 8, 150), (3, 1, 34, 300), (1, 1, 2, 900)]
SHAPES = SHAPES if TENSORFLOW else SHAPES[1:3]  # the same operations, called otherwise


def layer_of(heads: int, kv_heads: int, width: int, **options: Any) -> SelfAttention:
    keras.utils.set_random_seed(0)
    options = {"causal": True, "context": 1000, **options}
    layer = SelfAttention(heads * width, heads=heads, kv_heads=kv_heads, **options)
    layer.build((None, None, heads * width))
    return layer


def made(layer: SelfAttention, steps: int, real: np.ndarray | None, training: bool = True) -> list[np.ndarray]:
    """Returns outputs, and the gradients of inputs and weights; padded outputs do not count."""
    generator = np.random.default_rng(1)
    inputs, factors = (generator.normal(size=(TEXTS, steps, layer.units)).astype("float32") for _ in range(2))
    factors = factors if real is None else factors * real[..., None]
    mask = None if real is None else ops.convert_to_tensor(real)

    def outputs(inputs: Any, *weights: Any) -> Any:
        return layer.stateless_call(list(weights), [], inputs, real=mask, training=training)[0][0]

    def score(*parts: Any) -> Any:
        return ops.sum(outputs(*parts) * factors)

    parts = [inputs, *(3.0 * weight for weight in layer.get_weights())]
    found = ops.convert_to_numpy(outputs(*map(ops.convert_to_tensor, parts)))
    return [found if real is None else found * real[..., None], *value_and_gradients(score, parts)[1:]]


def both(layer: SelfAttention, steps: int, real: np.ndarray | None = None) -> tuple[list[np.ndarray], list[np.ndarray]]:
    plain = made(layer, steps, real)
    layer.native_refusal = None
    return plain, made(layer, steps, real)


def assert_near(expected: list[np.ndarray], own: list[np.ndarray], tolerance: float = 1e-5) -> None:
    for right, found in zip(expected, own, strict=True):
        assert found.shape == right.shape
        assert np.abs(found - right).max() <= tolerance * max(1.0, np.abs(right).max())


def calls(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Returns a list that grows with each call of what is compiled."""
    import textseq.layers.attention.layer as module

    seen: list[bool] = []
    natively = module.native_attention

    def counted(*args: Any, **options: Any) -> Any:
        seen.append(True)
        return natively(*args, **options)

    monkeypatch.setattr(module, "native_attention", counted)
    return seen


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_gradients_are_the_backends(
    shape: tuple[int, int, int, int], causal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    *heads, steps = shape
    layer, seen = layer_of(*heads, causal=causal), calls(monkeypatch)
    assert layer.native_refusal == "training did not ask for it"
    plain, own = both(layer, steps)
    assert len(seen) == 2  # outputs, and gradients
    assert_near(plain, own)


@pytest.mark.parametrize("steps", [9, 150])
def test_padded_steps_are_not_seen(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = calls(monkeypatch)
    real = np.arange(steps) < np.array([[steps], [steps // 2], [1]])
    real[0, :3] = False  # before the first real one too
    plain, own = both(layer_of(4, 2, 8, causal=False), steps, real)
    assert seen
    assert_near(plain, own)
    assert not own[1][~real].any()  # nothing at all flows to what nobody sees


def test_scores_far_apart_are_weighed_safely() -> None:
    layer = layer_of(2, 2, 8)
    layer.set_weights([6.0 * weight for weight in layer.get_weights()])
    plain, own = both(layer, 40)
    assert all(np.isfinite(part).all() for part in own)
    assert_near(plain, own, 1e-4)  # of scores of hundreds float32 keeps 6e-5


@pytest.mark.parametrize(
    ("options", "training", "masked"),
    [
        ({"context": 10}, True, False),  # a window
        ({"dropout": 0.1}, True, False),
        ({}, True, True),  # causal, and padded: places are counted from the first real step
        ({}, False, False),  # no training
    ],
    ids=["window", "dropout", "padded", "no training"],
)
def test_what_it_does_not_know_is_left_to_the_backend(
    options: dict[str, Any], training: bool, masked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer, seen = layer_of(2, 2, 8, **options), calls(monkeypatch)
    layer.native_refusal = None
    real = ops.ones((2, 20), "bool") if masked else None
    outputs, _ = layer(np.ones((2, 20, 16), "float32"), real=real, training=training)
    assert outputs.shape == (2, 20, 16)
    assert not seen


def test_kept_keys_are_left_to_the_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, seen = layer_of(2, 2, 8), calls(monkeypatch)
    layer.native_refusal = None
    inputs = np.ones((2, 20, 16), "float32")
    _, state = layer(inputs, training=True, return_state=True)
    layer(inputs, training=True, state=state)
    assert not seen
