"""The loop over steps: what it makes does not depend on the order in which its outputs are written."""

from __future__ import annotations

from typing import Any

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
