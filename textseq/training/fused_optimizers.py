"""Keras's optimizers on TensorFlow, each weight updated in one pass over memory, by TensorFlow's own training kernels.

Keras writes an update as a dozen operations, each of which reads and writes whole tensors. The kernels below do the
same arithmetic at once. Clipping needs the norm of all gradients, one reading pass; the scale that it gives goes into
the update. Rows of an embedding that a batch did not touch are not visited where the optimizer allows it, which is SGD
without momentum: Adam moves every row at every step. JAX compiles Keras's operations into one pass by itself.
"""

from __future__ import annotations

from typing import Any

import keras

from textseq.layers.native import operations
from textseq.layers.sums import sum_of_scalars


class OnePass:
    """Replaces how gradients are clipped and applied; the arguments, variables and checkpoints stay Keras's.

    Attributes:
        native: Whether their norm is made by what is compiled for this processor, by all threads.
    """

    native: bool = False
    global_clipnorm: float | None
    _scale: Any = None

    def _clip_gradients(self, grads: list[Any]) -> list[Any]:
        """Returns the gradients unscaled, each row of an embedding once, and keeps the scale for the update."""
        import tensorflow as tf

        if not self.global_clipnorm:
            self._scale = None
            return super()._clip_gradients(grads)  # type: ignore[misc]
        grads = [_each_row_once(gradient) for gradient in grads]
        values = [gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient for gradient in grads]
        norm = tf.sqrt(self._square_sum([tf.cast(value, tf.float32) for value in values]))
        # A norm that is no number makes the scale none either, so that the divergence shows.
        self._scale = self.global_clipnorm / tf.maximum(norm, self.global_clipnorm) + (norm - norm)
        return grads

    def _square_sum(self, values: list[Any]) -> Any:
        import tensorflow as tf

        if self.native:
            (found,) = operations.call("textseq_square_sum", [values], [((), "float32")], "float32")
            return found
        return 2.0 * sum_of_scalars([tf.nn.l2_loss(value) for value in values])

    def _scaled(self, gradient: Any, dtype: Any) -> Any:
        import tensorflow as tf

        gradient = tf.cast(gradient, dtype)
        if self._scale is None:
            return gradient
        scale = tf.cast(self._scale, dtype)
        if isinstance(gradient, tf.IndexedSlices):
            return tf.IndexedSlices(gradient.values * scale, gradient.indices, gradient.dense_shape)
        return gradient * scale


class _AdamInOnePass(OnePass):
    """m += (1 - β₁)(g - m); v += (1 - β₂)(g² - v); w -= rate · m / (√v + ε), in one kernel."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a weight and its two moments."""
        import tensorflow as tf

        optimizer: Any = self
        if optimizer.amsgrad:
            super().update_step(self._scaled(gradient, variable.dtype), variable, learning_rate)  # type: ignore[misc]
            return
        dtype = variable.dtype
        place = optimizer._get_variable_index(variable)
        step = tf.cast(optimizer.iterations + 1, dtype)
        beta_1, beta_2 = tf.constant(optimizer.beta_1, dtype), tf.constant(optimizer.beta_2, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=_tensorflow(variable).handle,
            m=_tensorflow(optimizer._momentums[place]).handle,
            v=_tensorflow(optimizer._velocities[place]).handle,
            beta1_power=tf.pow(beta_1, step),
            beta2_power=tf.pow(beta_2, step),
            lr=tf.cast(learning_rate, dtype),
            beta1=beta_1,
            beta2=beta_2,
            epsilon=tf.constant(optimizer.epsilon, dtype),
            grad=tf.convert_to_tensor(self._scaled(gradient, dtype)),
        )


class Adam(_AdamInOnePass, keras.optimizers.Adam):
    """`keras.optimizers.Adam`."""


class AdamW(_AdamInOnePass, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW`."""


class SGD(OnePass, keras.optimizers.SGD):
    """`keras.optimizers.SGD`; without momentum, w -= rate · g, in one kernel."""

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Updates a weight, or only the rows of it that have a gradient."""
        import tensorflow as tf

        if self.momentum:
            super().update_step(tf.convert_to_tensor(self._scaled(gradient, variable.dtype)), variable, learning_rate)
            return
        weight, dtype = _tensorflow(variable), variable.dtype
        if isinstance(gradient, tf.IndexedSlices):
            rate = tf.cast(learning_rate, dtype)
            scaled = self._scaled(gradient, dtype)
            weight.scatter_sub(tf.IndexedSlices(scaled.values * rate, scaled.indices, scaled.dense_shape))
            return
        rate = tf.cast(learning_rate, dtype) * (1.0 if self._scale is None else tf.cast(self._scale, dtype))
        tf.raw_ops.ResourceApplyGradientDescent(var=weight.handle, alpha=rate, delta=tf.cast(gradient, dtype))


def _tensorflow(variable: Any) -> Any:
    """Returns the TensorFlow variable inside Keras's."""
    return variable.value if isinstance(variable, keras.Variable) else variable


def _each_row_once(gradient: Any) -> Any:
    """Adds up the rows of an embedding's gradient that stand for the same token; other gradients stay as they are."""
    import tensorflow as tf

    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, places = tf.unique(tf.reshape(gradient.indices, [-1]))
    values = tf.reshape(gradient.values, tf.concat([[-1], tf.shape(gradient.values)[-1:]], 0))
    summed = tf.math.unsorted_segment_sum(values, places, tf.size(rows))
    return tf.IndexedSlices(summed, rows, gradient.dense_shape)
