"""Learning-rate schedules: constant, linear and cosine, each after a linear warm-up.

Source: Loshchilov & Hutter 2017 (cosine), https://arxiv.org/abs/1608.03983; Goyal et al. 2017 (warm-up),
https://arxiv.org/abs/1706.02677.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import keras
from keras import ops

Shape = Literal["constant", "linear", "cosine"]


@keras.saving.register_keras_serializable("textseq")
class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly from 0 over the warm-up, then stays or falls to a fraction at the last step.

    Args:
        shape: How it goes on after the warm-up.
        learning_rate: The highest value.
        total_steps: Training steps in all.
        warmup_steps: Steps of the warm-up.
        final: Fraction of `learning_rate` left at the last step, 0 to 1; "constant" ignores it.

    Attributes:
        scale: A variable of the optimizer that all rates are multiplied by; None for none.
    """

    def __init__(
        self, shape: Shape, learning_rate: float, total_steps: int, warmup_steps: int = 0, final: float = 0.0
    ) -> None:
        self.shape = shape
        self.learning_rate = learning_rate
        self.total_steps = total_steps
        self.warmup_steps = warmup_steps
        self.final = final
        self.scale: Any = None

    def __call__(self, step: Any) -> Any:
        """Returns the learning rate of a step, counted from 0."""
        step = ops.cast(step, "float32")
        rise = (step + 1.0) / max(self.warmup_steps, 1)
        span = max(self.total_steps - self.warmup_steps, 1)
        done = ops.clip((step - self.warmup_steps) / span, 0.0, 1.0)
        if self.shape == "cosine":
            fall = self.final + (1.0 - self.final) * 0.5 * (1.0 + ops.cos(math.pi * done))
        elif self.shape == "linear":
            fall = 1.0 - (1.0 - self.final) * done
        else:
            fall = ops.ones_like(done)
        rate = self.learning_rate * ops.minimum(ops.minimum(rise, 1.0), fall)
        return rate if self.scale is None else rate * self.scale

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        names = ("shape", "learning_rate", "total_steps", "warmup_steps", "final")
        return {name: getattr(self, name) for name in names}
