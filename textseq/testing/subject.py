"""An encoder under test: made in many ways, with inputs to try it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from keras import ops

from textseq.encoder import Encoder
from textseq.errors import UsageError
from textseq.signatures import inspect_class
from textseq.testing.comparing import array

ROWS, TIME, FEATURES = 4, 7, 8


@dataclass
class Subject:
    """An encoder class, how to make it, and inputs to try it with."""

    cls: type[Encoder]
    units: int
    arguments: dict[str, Any]
    inputs: np.ndarray = field(init=False)
    lengths: tuple[int, ...] = (TIME, 5, 3, 1)

    def __post_init__(self) -> None:
        self.inputs = np.random.default_rng(7).normal(size=(ROWS, TIME, FEATURES)).astype("float32")
        self._made: dict[bool, Any] = {}
        self._called: dict[bool, Any] = {}

    @property
    def mask(self) -> np.ndarray:
        """Row 0 is full, the others end earlier. `(batch, time)`."""
        return np.arange(TIME)[None] < np.array(self.lengths)[:, None]

    @property
    def dropouts(self) -> list[str]:
        """The arguments that are fractions to drop."""
        return [argument.name for argument in inspect_class(self.cls).arguments if "dropout" in argument.name]

    def first(self, time: int, rows: int = 1) -> np.ndarray:
        """Returns the beginning of the first rows. `(rows, time, features)`."""
        return self.inputs[:rows, :time]

    def unbuilt(self, causal: bool, *, seed: int = 0, **more: Any) -> Any:
        """Makes one without weights."""
        keras.utils.set_random_seed(seed)
        return self.cls(self.units, **{**self.arguments, "causal": causal, **more})

    def make(self, causal: bool, *, seed: int = 0, stirred: bool = True, **more: Any) -> Any:
        """Makes and builds one; stirred, no weight is left at 0, where faults would not show."""
        made = self.unbuilt(causal, seed=seed, **more)
        made(self.inputs)
        generator = np.random.default_rng(seed)
        for weight in made.trainable_variables if stirred else ():
            noise = generator.normal(size=weight.shape, scale=0.1)
            weight.assign(array(weight) + noise)
        return made

    def made(self, causal: bool) -> Any:
        """Returns one that checks share, stirred; its weights are not to be changed."""
        if causal not in self._made:
            self._made[causal] = self.make(causal)
        return self._made[causal]

    def called(self, causal: bool) -> Callable[..., Any]:
        """Returns the shared one as a function of inputs, and by name of mask, first state and `return_state`.

        Under JAX it is compiled, as in training: of a call as it stands each operation would be, anew for each shape.
        """
        encoder = self.made(causal)
        if keras.backend.backend() != "jax":
            return encoder
        import jax

        def call(inputs: Any, mask: Any = None, initial_state: Any = None, return_state: bool = False) -> Any:
            return encoder(inputs, mask=mask, initial_state=initial_state, return_state=return_state)

        return self._called.setdefault(causal, jax.jit(call, static_argnames="return_state"))

    def state(self, encoder: Any, rows: int = ROWS) -> Any:
        """Returns the state before the first token; None where the encoder carries none."""
        try:
            return encoder.get_initial_state(rows)
        except UsageError:
            return None


class Holder(keras.Model):
    """A model that is an encoder and nothing else."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.encoder = encoder

    def call(self, inputs: Any) -> Any:
        """Returns its outputs."""
        return self.encoder(inputs)


@contextmanager
def variables_made() -> Iterator[list[Any]]:
    """Yields a list that grows by each `keras.Variable` that is made meanwhile."""
    made: list[Any] = []
    original = keras.Variable.__init__

    def noted(self: Any, *arguments: Any, **more: Any) -> None:
        original(self, *arguments, **more)
        made.append(self)

    keras.Variable.__init__ = noted
    try:
        yield made
    finally:
        keras.Variable.__init__ = original


def gradients(encoder: Any, subject: Subject, direction: np.ndarray) -> list[Any]:
    """Returns the gradient of Σ outputs · direction for each trainable weight."""
    if keras.backend.backend() == "jax":
        import jax

        fixed = [variable.value for variable in encoder.non_trainable_variables]

        def total(values: list[Any]) -> Any:
            outputs, _ = encoder.stateless_call(values, fixed, subject.inputs, mask=subject.mask)
            return ops.sum(outputs * direction)

        return list(jax.grad(total)([variable.value for variable in encoder.trainable_variables]))
    import tensorflow as tf

    with tf.GradientTape() as tape:
        total = ops.sum(encoder(subject.inputs, mask=subject.mask) * direction)
    return list(tape.gradient(total, [variable.value for variable in encoder.trainable_variables]))


def compiled(encoder: Any) -> Callable[..., Any]:
    """Returns the encoder as a compiled function of inputs and mask; on TensorFlow, one graph for all shapes."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(lambda inputs, mask: encoder(inputs, mask=mask))
    import tensorflow as tf

    signature = [tf.TensorSpec((None, None, FEATURES), tf.float32), tf.TensorSpec((None, None), tf.bool)]
    return tf.function(lambda inputs, mask: encoder(inputs, mask=mask), input_signature=signature)
