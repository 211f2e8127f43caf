"""The encoder contract as a base class: what a layer has to be for textseq to train, test and serve it."""

from __future__ import annotations

from typing import Any

import keras

from textseq.errors import UsageError, problem
from textseq.layers.recurrence import LayerStack, RecurrentStack


class Encoder(keras.layers.Layer):
    """A sequence encoder: `(batch, time, features)` in, `(batch, time, units)` out.

    A subclass is registered with `@encoders.register("name")`, takes `units` first and gives every other argument a
    default of a plain type (the constructor's signature is the schema of the config's `encoder` section). It writes
    `call`, and `get_initial_state` where it can stream. Its config needs no code: Keras keeps the arguments.

    Floating-point inputs arrive in the layer's compute dtype; states stay in float32 whatever the precision, so the
    layer casts what it multiplies and nothing is cast behind its back.

    Args:
        units: Width of the output.
        causal: Whether the output at a step may depend on that step and earlier ones only. Language models need it;
            it is explicit, since a flag that follows from another ("bidirectional") is one that gets forgotten.
        **kwargs: Arguments of `keras.layers.Layer` (`name`, `dtype`, `trainable`).

    Raises:
        UsageError: `units` is not a positive whole number.
    """

    def __init__(self, units: int, *, causal: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        if isinstance(units, bool) or not isinstance(units, int) or units < 1:
            raise UsageError(problem("encoder.units", "must be a whole number of at least 1", received=units))
        self.units = units
        self.causal = causal
        self.supports_masking = True

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuses a class without `call` when it is written, rather than at the first batch."""
        super().__init_subclass__(**kwargs)
        if cls.call is Encoder.call:
            raise TypeError(f"{cls.__name__}: an encoder must define call(inputs, mask, initial_state, return_state).")

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        return_state: bool = False,
        training: bool | None = None,
    ) -> Any:
        """Encodes a batch of sequences.

        Args:
            inputs: Features. `(batch, time, features)`
            mask: True at real tokens, False at padding; None where all are real. `(batch, time)`
            initial_state: The state that an earlier call returned, or `get_initial_state`'s; None for a fresh start.
            return_state: Whether to return the state after the last real token too.
            training: Whether dropout is on.

        Returns:
            The outputs `(batch, time, units)`, or `(outputs, state)` with `return_state`.
        """
        raise TypeError(f"{type(self).__name__} defines no call.")

    def get_initial_state(self, batch_size: Any) -> Any:
        """Returns the state before the first token: a nest of tensors, batch first, floats in float32.

        One notion serves truncated backpropagation through time, generation and step-by-step serving. It is asked for
        once the weights are made, and the width of the inputs is known.

        Args:
            batch_size: Rows of the batch.

        Raises:
            UsageError: The encoder carries no state.
        """
        raise UsageError(
            problem(
                f"encoder '{type(self).__name__}'",
                "carries no state, so nothing can be handed on from one window or token to the next",
                way_out="Define get_initial_state, or set task.carry_state to false, and windows stand alone",
            )
        )

    def entrance(self) -> RecurrentStack | None:
        """Returns the recurrent layers that take the inputs just as they come, where the encoder begins with such.

        An export looks the products of the embedding's table and their kernels up instead of making them at each call.
        It may only where nothing stands between the encoder's inputs and these layers.
        """
        return None

    def compute_output_shape(self, input_shape: Any, *_: Any, **__: Any) -> tuple[Any, ...]:
        """Returns the shape of the outputs: that of the inputs with `units` last."""
        return (*tuple(input_shape)[:-1], self.units)


class StackedEncoder(Encoder):
    """An encoder that is a stack of layers and nothing else; a subclass makes `self.stack` in its constructor.

    Args:
        units: Width of the outputs.
        causal: One direction, so that no step sees the future; otherwise both.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    stack: LayerStack

    def build(self, input_shape: Any) -> None:
        """Makes the weights."""
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
        """Returns `(batch, time, units)`; padded steps repeat the state before them."""
        return self.stack(inputs, mask=mask, initial_state=initial_state, return_state=return_state, training=training)

    def get_initial_state(self, batch_size: Any) -> Any:
        """Returns the first state of every layer, each a list of `(batch, units)`."""
        return self.stack.get_initial_state(batch_size)
