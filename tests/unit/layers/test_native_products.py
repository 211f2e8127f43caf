"""Products by a processor's tiles are those of the textbook, as near as float32 comes, and so are their gradients."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from both_backends import value_and_gradients
from compiled_with import passed_with
from keras import ops

from textseq.layers.dense import Dense
from textseq.layers.native import operations, products
from textseq.layers.native.library import compiler
from textseq.layers.native.operations import refusal

needs_tiles = pytest.mark.skipif(products.refusal() is not None, reason=f"no such products: {products.refusal()}")
needs_library = pytest.mark.skipif(refusal() is not None, reason=f"nothing is compiled: {refusal()}")

# (rows, columns, what is summed over): one; parts of tiles; several of either factor; sums in several blocks; of such
# a length that the last block is short.
SHAPES = [(1, 1, 1), (5, 7, 3), (33, 65, 40), (700, 50, 70), (40, 700, 129), (50, 90, 1700), (17, 3, 10_000)]


def factors(rows: int, columns: int, depth: int, spread: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(rows)
    shapes = ((rows, depth), (depth, columns))
    a, b = (generator.normal(size=shape, scale=spread).astype("float32") for shape in shapes)
    return a, b


def multiply(a: np.ndarray, b: np.ndarray, *, first_turned: bool = False, second_turned: bool = False) -> np.ndarray:
    """Returns the product of factors, which are handed over as they are, or turned."""
    parts = a.T.copy() if first_turned else a, b.T.copy() if second_turned else b
    turned = {"first_turned": first_turned, "second_turned": second_turned}
    return ops.convert_to_numpy(products.product(*map(ops.convert_to_tensor, parts), **turned))


@needs_library
@pytest.mark.parametrize("second_turned", [False, True])
@pytest.mark.parametrize("first_turned", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_they_are_those_of_the_textbook(shape: tuple[int, int, int], first_turned: bool, second_turned: bool) -> None:
    a, b = factors(*shape)
    exact = a.astype("float64") @ b.astype("float64")
    made = multiply(a, b, first_turned=first_turned, second_turned=second_turned)
    assert made.shape == exact.shape
    assert (np.abs(made - exact) <= 1e-6 * (np.abs(a) @ np.abs(b))).all()


@needs_tiles
@pytest.mark.parametrize("spread", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("shape", [(90, 120, 65), (60, 90, 650), (90, 60, 4000)])
def test_they_are_as_near_to_it_as_the_backends(shape: tuple[int, int, int], spread: float) -> None:
    a, b = factors(*shape, spread=spread)
    exact = a.astype("float64") @ b.astype("float64")
    made, plain = multiply(a, b), ops.convert_to_numpy(ops.matmul(a, b))
    assert np.abs(made - exact).mean() < np.abs(plain - exact).mean()


@needs_library
def test_numbers_of_any_size_are_multiplied() -> None:
    a = np.array([[1e38, 3e38, 1e-30, 2.0**-120, -1.0]], "float32")
    b = np.eye(5, dtype="float32")
    np.testing.assert_allclose(multiply(a, b), a, rtol=1e-6)


@needs_library
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_spoils_its_row_and_no_other(number: float) -> None:
    a, b = factors(40, 50, 60)
    a[3, 7] = number
    made = multiply(a, b)
    assert not np.isfinite(made[3]).any()
    assert np.isfinite(np.delete(made, 3, 0)).all()


@needs_library
def test_nothing_and_sums_of_nothing() -> None:
    assert multiply(np.zeros((0, 3), "float32"), np.zeros((3, 2), "float32")).shape == (0, 2)
    assert not multiply(np.zeros((4, 0), "float32"), np.zeros((0, 2), "float32")).any()


@needs_library
def test_factors_that_do_not_suit_each_other_are_refused() -> None:
    with pytest.raises(Exception, match="Factors of a product differ in how much of them is summed over"):
        multiply(np.zeros((2, 3), "float32"), np.zeros((4, 2), "float32"))


@needs_library
@pytest.mark.parametrize("shape", [(2, 9, 5), (7, 5)], ids=["steps", "rows"])
def test_a_dense_layer_is_the_same_by_either_way(shape: tuple[int, ...]) -> None:
    layer = Dense(11, activation="tanh")
    layer.build(shape)
    generator = np.random.default_rng(0)
    layer.set_weights([generator.normal(size=weight.shape) for weight in layer.weights])
    inputs, factor = (generator.normal(size=size).astype("float32") for size in (shape, (*shape[:-1], 11)))
    kernel, bias = layer.get_weights()

    def score(inputs: Any, kernel: Any, bias: Any) -> Any:
        outputs, _ = layer.stateless_call([kernel, bias], [], inputs, training=True)
        return ops.sum(outputs * factor)

    assert layer.native_refusal == "training did not ask for it"
    expected = value_and_gradients(score, [inputs, kernel, bias])
    layer.native_refusal = None
    made = value_and_gradients(score, [inputs, kernel, bias])
    for own, plain in zip(made, expected, strict=True):
        np.testing.assert_allclose(own, plain, atol=1e-5 * np.abs(plain).max())


def test_outside_training_a_dense_layer_is_the_backends(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise AssertionError

    layer = Dense(3)
    layer.native_refusal = None
    monkeypatch.setattr("textseq.layers.dense.dense", fail)
    inputs = np.ones((2, 4), "float32")
    assert layer(inputs, training=False).shape == (2, 3)
    with pytest.raises(AssertionError):
        layer(inputs, training=True)


def test_who_has_no_tiles_or_other_factors_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert products.refusal("bfloat16") == "it takes float32, not bfloat16 (training.precision)"
    monkeypatch.setattr(operations, "refusal", lambda operands: None)
    monkeypatch.setattr(operations, "has_tiles", lambda: False)
    assert products.refusal() == "this processor multiplies no tiles (AMX), without which they are no faster"
    monkeypatch.setattr(operations, "refusal", lambda operands: "there is a GPU")
    assert products.refusal() == "there is a GPU"


@needs_tiles
@pytest.mark.skipif(platform.machine() != "x86_64", reason="other processors have no such option")
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the same products, called otherwise")
@pytest.mark.skipif(not compiler(), reason="no compiler")
def test_without_tiles_they_are_right_too(tmp_path: Path) -> None:
    here = Path(__file__)
    others = ("test_native_softmax.py", "test_native_attention.py", "test_native_feed_forward.py")
    files = [here, *map(here.with_name, others)]
    chosen = "textbook or size or spoils or nan or nothing or highest or digits or gradients_are or seen or safely"
    passed_with("-mno-amx-bf16", files, chosen, tmp_path)
