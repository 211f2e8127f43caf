"""How a recurrence's weights begin: orthogonal blocks, and forget gates that are open.

Source: orthogonal https://arxiv.org/abs/1312.6120, forget bias one http://proceedings.mlr.press/v37/jozefowicz15.html,
chrono https://arxiv.org/abs/1804.11188.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

ForgetBias = Literal["one", "zero", "chrono"]
Initializer = Callable[..., Any]


def orthogonal_blocks(blocks: int, seed: int) -> Initializer:
    """Makes each gate's square block of a recurrent kernel orthogonal by itself, so that each keeps lengths.

    Args:
        blocks: Number of gates and candidates.
        seed: Fixes the values.
    """

    def initialize(shape: tuple[int, int], dtype: Any = None) -> Any:
        units = shape[0]
        seeds = np.random.SeedSequence(seed).generate_state(blocks)
        parts = [keras.initializers.Orthogonal(seed=int(part))((units, units), dtype=dtype) for part in seeds]
        return ops.concatenate(parts, axis=1)

    return initialize


def lstm_bias(forget_bias: ForgetBias, chrono_length: int, seed: int) -> Initializer:
    """Makes the bias of gates i, f, g, o.

    Args:
        forget_bias: "one" remembers for a few steps at first, "zero" forgets half at each, "chrono" spreads the units'
            memories over 1 to `chrono_length` steps: the forget gates' bias is log U(1, length - 1), the input gates'
            its negative.
        chrono_length: Longest dependency expected, in steps; at least 3.
        seed: Fixes the values.
    """

    def initialize(shape: tuple[int], dtype: Any = None) -> Any:
        bias = np.zeros((4, shape[0] // 4))
        if forget_bias == "one":
            bias[1] = 1.0
        elif forget_bias == "chrono":
            steps = np.random.default_rng(seed).uniform(1.0, chrono_length - 1.0, bias.shape[1])
            bias[1], bias[0] = np.log(steps), -np.log(steps)
        return ops.convert_to_tensor(bias.reshape(-1), dtype=dtype)

    return initialize
