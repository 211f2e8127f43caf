"""Encoders with one planted fault each, made from a sound one, so that the checks are checked."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from textseq.encoder import Encoder
from textseq.layers.recurrence import RecurrentStack


class Sound(Encoder):
    """A GRU in both directions, or in one; nothing is wrong with it.

    Args:
        units: Width of the outputs.
        causal: Whether it reads forwards only.
        dropout: Fraction of the inputs dropped in training.
    """

    def __init__(self, units: int, *, causal: bool = False, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.stack = RecurrentStack("gru", units, causal=causal, dropout=dropout, dtype=self.dtype_policy)

    def build(self, input_shape: Any) -> None:
        self.stack.build(input_shape)
        self.built = True

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        return_state: bool = False,
        training: bool | None = None,
    ) -> Any:
        return self.stack(inputs, mask=mask, initial_state=initial_state, return_state=return_state, training=training)

    def get_initial_state(self, batch_size: Any) -> Any:
        return self.stack.get_initial_state(batch_size)


def changed(result: Any, change: Any) -> Any:
    """Applies a change to the outputs, whether or not a state comes with them."""
    return (change(result[0]), result[1]) if isinstance(result, tuple) else change(result)


class FutureLeak(Sound):
    """Adds each sequence's mean over time, causal or not."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        result = super().call(inputs, mask, initial_state, return_state, training)
        return changed(result, lambda outputs: outputs + 0.1 * ops.mean(outputs, axis=1, keepdims=True))


class OneTokenLeak(Sound):
    """Looks one token ahead."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        ahead = ops.concatenate([inputs[:, 1:], inputs[:, -1:]], 1)
        return super().call(inputs + 0.1 * ahead, mask, initial_state, return_state, training)


class PaddingMatters(Sound):
    """Forgets the mask."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        return super().call(inputs, None, initial_state, return_state, training)


class _TwoStacks(Encoder):
    """Two one-way halves; what the second reads is for the subclass to say.

    Args:
        units: Width of the outputs.
        causal: Taken and not heeded.
    """

    def __init__(self, units: int, *, causal: bool = False, **kwargs: Any) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.halves = [RecurrentStack("gru", units // 2, causal=True, dtype=self.dtype_policy) for _ in range(2)]

    def build(self, input_shape):
        for half in self.halves:
            half.build(input_shape)
        self.built = True

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        second = self.second(inputs, None if mask is None else ops.convert_to_tensor(mask))
        return ops.concatenate([self.halves[0](inputs, mask=mask), second], -1)


class UnreversedHalf(_TwoStacks):
    """Its second half reads forwards too."""

    def second(self, inputs: Any, mask: Any) -> Any:
        return self.halves[1](inputs, mask=mask)


class HalfLeftBackwards(_TwoStacks):
    """Its second half reads backwards, and its outputs stay in that order."""

    def second(self, inputs: Any, mask: Any) -> Any:
        return self.halves[1](ops.flip(inputs, 1), mask=None if mask is None else ops.flip(mask, 1))


class StateNotCarried(Sound):
    """Begins anew whatever state it is handed."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        return super().call(inputs, mask, None, return_state, training)


class StateOfPadding(Sound):
    """Returns the state as if padding were text."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        if return_state:
            return super().call(inputs, None, initial_state, True, training)
        return super().call(inputs, mask, initial_state, False, training)


class RowsMixed(Sound):
    """Subtracts the mean over the batch."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        result = super().call(inputs, mask, initial_state, return_state, training)
        return changed(result, lambda outputs: outputs - ops.mean(outputs, axis=0, keepdims=True))


class DropoutAlways(Sound):
    """Drops outside training too."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        return super().call(inputs, mask, initial_state, return_state, True)


class DropoutNever(Sound):
    """Takes a dropout and drops nothing."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        return super().call(inputs, mask, initial_state, return_state, False)


class UnusedWeight(Sound):
    """Has a weight that reaches nothing."""

    def build(self, input_shape):
        self.idle = self.add_weight(shape=(3,), name="idle")
        super().build(input_shape)


class NumberlessPadding(Sound):
    """Divides by the number of tokens."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        result = super().call(inputs, mask, initial_state, return_state, training)
        if mask is None:
            return result
        count = ops.sum(ops.cast(mask, "float32"), axis=1)[:, None, None]
        return changed(result, lambda outputs: outputs * ops.cast(count / count, outputs.dtype))


class SeedIgnored(Sound):
    """Draws its first weights from a generator of its own."""

    generator = np.random.default_rng()

    def build(self, input_shape):
        super().build(input_shape)
        for weight in self.trainable_variables:
            weight.assign(self.generator.normal(size=weight.shape))


class ConfigForgets(Sound):
    """Leaves an argument out of its config."""

    def get_config(self):
        return {**super().get_config(), "units": 2 * self.units}


class FullPrecisionOutputs(Sound):
    """Gives float32 whatever was asked."""

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        result = super().call(inputs, mask, initial_state, return_state, training)
        return changed(result, lambda outputs: ops.cast(outputs, "float32"))


class ShapeBakedIn(Sound):
    """Remembers the length of the first batch."""

    def build(self, input_shape):
        super().build(input_shape)
        self.places = self.add_weight(shape=(7, self.units), name="places")

    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        result = super().call(inputs, mask, initial_state, return_state, training)
        return changed(result, lambda outputs: outputs + ops.cast(self.places, outputs.dtype)[None])


class Undocumented(Sound):
    """Says nothing of an argument.

    Args:
        units: Width of the outputs.
        causal: Whether it reads forwards only.
    """

    def __init__(self, units: int, *, causal: bool = False, depth: int = 1, **kwargs: Any) -> None:
        super().__init__(units, causal=causal, **kwargs)
        self.depth = depth


class ArgumentOfNoPlainType(Sound):
    """Wants a layer, which no config can write.

    Args:
        units: Width of the outputs.
        causal: Whether it reads forwards only.
        layer: Applied to nothing.
    """

    def __init__(self, units: int, *, causal: bool = False, layer: keras.layers.Layer | int = 0, **kwargs: Any) -> None:
        super().__init__(units, causal=causal, **kwargs)


# Which check has to notice, by the words of its name.
PLANTED: dict[type[Encoder], str] = {
    FutureLeak: "causal alone hides the future",
    OneTokenLeak: "causal alone hides the future",
    PaddingMatters: "padding changes nothing",
    UnreversedHalf: "causal alone hides the future",
    HalfLeftBackwards: "outputs see their own token",
    StateNotCarried: "the state is carried",
    StateOfPadding: "the state ends at the last token",
    RowsMixed: "a row alone equals the row in a batch",
    DropoutAlways: "dropout is for training",
    DropoutNever: "dropout is for training",
    UnusedWeight: "every weight has a gradient",
    NumberlessPadding: "a row without tokens is finite",
    SeedIgnored: "the seed decides the weights",
    ConfigForgets: "the config makes it again",
    FullPrecisionOutputs: "half precision works",
    ShapeBakedIn: "a graph takes any shape",
    Undocumented: "arguments are plain and documented",
    ArgumentOfNoPlainType: "arguments are plain and documented",
}
