"""The loop over steps: what it makes does not depend on the order in which its outputs are written."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from textseq.layers.recurrence.scan import outputs_as_made, scan, stacked


@pytest.mark.parametrize("reverse", [False, True])
def test_outputs_keep_the_sequences_order_however_they_are_written(reverse: bool) -> None:
    steps = np.arange(6, dtype="float32").reshape(3, 2, 1)  # (time, batch, 1)

    def add(carry: Any, now: Any) -> Any:
        total = carry[0] + now
        return (total,), (total,)

    def sums() -> np.ndarray:
        carry, (output,) = scan(add, (ops.zeros((2, 1)),), ops.array(steps), output_widths=(1,), reverse=reverse)
        np.testing.assert_array_equal(ops.convert_to_numpy(carry[0]), steps.sum(0))
        return ops.convert_to_numpy(stacked(output, ops.array(steps)))

    wanted = np.cumsum(steps[::-1], axis=0)[::-1] if reverse else np.cumsum(steps, axis=0)
    np.testing.assert_array_equal(sums(), wanted)
    with outputs_as_made():
        np.testing.assert_array_equal(sums(), wanted)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="JAX's loop is unrolled on a GPU; TensorFlow's is its own")
@pytest.mark.parametrize("reverse", [False, True])
def test_on_a_gpu_a_turn_of_several_steps_gives_what_single_ones_give(
    reverse: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence = ops.convert_to_tensor(np.arange(7 * 2 * 3, dtype="float32").reshape(7, 2, 3))

    def step(carry: Any, now: Any) -> Any:
        new = 0.5 * carry[0] + now
        return (new,), (new,)

    def run() -> tuple[Any, Any]:
        (last,), (made,) = scan(step, (ops.zeros((2, 3)),), sequence, output_widths=(3,), reverse=reverse)
        return ops.convert_to_numpy(last), ops.convert_to_numpy(made)

    singly = run()
    asked: list[int] = []
    keras_scan = ops.scan

    def noting(*arguments: Any, unroll: int, **options: Any) -> Any:
        asked.append(unroll)
        return keras_scan(*arguments, unroll=unroll, **options)

    monkeypatch.setattr("textseq.layers.recurrence.scan.has_gpu", lambda: True)
    monkeypatch.setattr("textseq.layers.recurrence.scan.ops.scan", noting)
    together = run()
    assert asked == [5]
    for one, other in zip(singly, together, strict=True):
        np.testing.assert_array_equal(one, other)
