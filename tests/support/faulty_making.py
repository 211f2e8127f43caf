"""Encoders whose arguments, weights, states or numbers are made wrongly, one planted fault each."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from faulty import PLANTED as PLANTED_IN_CALL
from faulty import Sound, changed
from keras import ops


class ConfigOfAnArray(Sound):
    """Keeps an array in its config, which no file of a run can hold."""

    def get_config(self):
        return {**super().get_config(), "table": np.zeros(3)}

    @classmethod
    def from_config(cls, config):
        return cls(**{name: value for name, value in config.items() if name != "table"})


class ConfigLosesAnArgument(Sound):
    """Has a dropout that its config forgets."""

    def get_config(self):
        return {**super().get_config(), "units": self.units, "causal": self.causal}


class WeightMadeLate(Sound):
    """Makes a weight when it first meets a mask."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        result = super().call(inputs, mask, initial_state, return_state, training)
        if mask is not None and not hasattr(self, "scale"):
            self.scale = self.add_weight(shape=(self.units,), initializer="ones", name="scale")
        return result


class WeightOutsideTheLayer(Sound):
    """Hides a weight where Keras does not look."""

    def build(self, input_shape):
        super().build(input_shape)
        scale = keras.Variable(np.full(self.units, 2.0, "float32"), name="scale")
        self.hidden = lambda: scale

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        result = super().call(inputs, mask, initial_state, return_state, training)
        return changed(result, lambda outputs: outputs * ops.cast(self.hidden(), outputs.dtype))


class NoiseAlways(Sound):
    """Adds noise that nobody asked for, outside training too."""

    generator = np.random.default_rng(0)

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        noise = self.generator.normal(size=(self.units,), scale=0.01)
        result = super().call(inputs, mask, initial_state, return_state, training)
        return changed(result, lambda outputs: outputs + ops.cast(noise, outputs.dtype))


class UnseededDropout(Sound):
    """Drops by a generator of its own, which no seed reaches."""

    generator = np.random.default_rng(0)

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        if training and (dropout := self.get_config()["dropout"]):
            kept = self.generator.random(inputs.shape[-1]) >= dropout
            inputs = inputs * ops.cast(kept, inputs.dtype)
        return super().call(inputs, mask, initial_state, return_state, False)


class BlockedGradient(Sound):
    """Lets no gradient through to its input's scale."""

    def build(self, input_shape):
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="scale")
        super().build(input_shape)

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        scaled = inputs * ops.cast(ops.stop_gradient(self.scale.value), inputs.dtype)
        return super().call(scaled, mask, initial_state, return_state, training)


class StateOfFourRows(Sound):
    """Gives a state for four rows, however many there are."""

    def get_initial_state(self, batch_size):
        return self.stack.get_initial_state(4)


class StateDependsOnTheBatch(Sound):
    """Begins with another state in a larger batch."""

    def get_initial_state(self, batch_size):
        return keras.tree.map_structure(
            lambda part: part + 0.1 * (batch_size - 1), super().get_initial_state(batch_size)
        )


class StateInHalfPrecision(Sound):
    """Rounds the state that it returns."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        result = super().call(inputs, mask, initial_state, return_state, training)
        if not return_state:
            return result
        return result[0], keras.tree.map_structure(lambda part: ops.cast(part, "bfloat16"), result[1])


class WidthOfTheInputs(Sound):
    """Gives its inputs in the place of what was asked for."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        result = super().call(inputs, mask, initial_state, return_state, training)
        return changed(result, lambda outputs: outputs[..., :-1])


class ArgumentWithoutDefault(Sound):
    """Wants a depth from every config.

    Args:
        units: Width of the outputs.
        causal: Whether it reads forwards only.
        depth: Layers.
    """

    def __init__(self, units: int, *, depth: int, causal: bool = False, **kwargs: Any) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.depth = depth


class UnitsNotFirst(Sound):
    """Takes its depth before its units.

    Args:
        depth: Layers.
        units: Width of the outputs.
        causal: Whether it reads forwards only.
    """

    def __init__(self, depth: int = 1, units: int = 16, *, causal: bool = False, **kwargs: Any) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.depth = depth


class DocumentsWhatIsGone(Sound):
    """Tells of an argument that it no longer takes.

    Args:
        units: Width of the outputs.
        causal: Whether it reads forwards only.
        depth: Layers.
    """

    def __init__(self, units: int, *, causal: bool = False, **kwargs: Any) -> None:
        super().__init__(units, causal=causal, **kwargs)


class DoesNotRun(Sound):
    """Fails at every call."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        raise ValueError("the plan is missing")


class NoEncoder(keras.layers.Layer):
    """A layer of Keras's, and no encoder."""


PLANTED: dict[type, str] = {
    **PLANTED_IN_CALL,
    ConfigOfAnArray: "the config makes it again",
    ConfigLosesAnArgument: "the config makes it again",
    WeightMadeLate: "weights are made with the first call",
    WeightOutsideTheLayer: "weights are made with the first call",
    NoiseAlways: "two calls agree",
    UnseededDropout: "the seed decides what is dropped",
    BlockedGradient: "every weight has a gradient",
    StateOfFourRows: "the state has the rows first",
    StateDependsOnTheBatch: "the state is carried",
    StateInHalfPrecision: "the state has the rows first",
    WidthOfTheInputs: "shapes are right",
    ArgumentWithoutDefault: "arguments are plain and documented",
    UnitsNotFirst: "arguments are plain and documented",
    DocumentsWhatIsGone: "arguments are plain and documented",
    DoesNotRun: "it can be made and called",
    NoEncoder: "it is an encoder",
}
