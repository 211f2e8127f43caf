"""A softmax's products with its kernel, in the form in which each backend multiplies fastest."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from textseq.layers.device import has_gpu, has_tiles
from textseq.layers.one_pass import compiled

_TILE = 16  # columns of a tile
_MANY = 4  # rows a feature, from which on it pays to cut the bias's gradient from the kernel's
_BLOCK = 48  # columns of an outcome that TensorFlow's library multiplies at once with AVX-512
_FULL = 5 / 6  # of their blocks, at most; columns that leave more of them empty are made as rows


class KernelProducts:
    """Products with a kernel, and its gradient.

    On a processor under TensorFlow columns come in blocks, whose empty ones take their time too. The kernel's gradient
    has as many as there are features; where they fill their blocks badly (200, 100 or 50 do, 650 and 256 do not), it is
    made turned, and turned round at the end. A softmax of 200 features and 10,000 tokens took 4 % less time so.

    The bias's gradient is a product with a single row. In bfloat16, where a processor multiplies in tiles, that took
    half as long as the kernel's: where rows are many, the scales are one more column of the kernel's there. Where the
    kernel's is made turned they are one more row, which is cut off for nothing: a step of an LSTM of 200 units took
    5 % less on two cores of an Intel Xeon.

    Args:
        kernel: `(vocabulary, features)`
        dtype: Of the factors.
    """

    def __init__(self, kernel: Any, dtype: Any) -> None:
        self.factors = ops.cast(kernel, dtype)
        self._features, name = int(kernel.shape[1]), keras.backend.standardize_dtype(dtype)
        badly_filled = self._features <= _FULL * _BLOCK * -(-self._features // _BLOCK)
        on_processor = keras.backend.backend() == "tensorflow" and not has_gpu()
        self._single = name == "float32"
        self._turned = on_processor and self._single and badly_filled
        self._in_tiles = on_processor and name == "bfloat16" and has_tiles()
        self.gradient_shape = tuple(kernel.shape)[::-1] if self._turned else tuple(kernel.shape)

    def logits(self, hidden: Any) -> Any:
        """Returns those of rows `(rows, features)`. `(rows, vocabulary)`."""
        return ops.matmul(hidden, ops.transpose(self.factors))

    def logits_and_bias(self, hidden: Any, bias: Any, large: bool) -> tuple[Any, Any]:
        """Returns the logits, and the bias still to be added, or None.

        In float32 it goes into TensorFlow's product; one of fewer bits would lose what a softmax begins at. Large
        logits are read in one compiled pass, which adds it for nothing; within the product it took 7 to 15 % of that.

        Args:
            hidden: `(rows, features)`
            bias: `(vocabulary,)`
            large: Whether the logits are read in a compiled pass.
        """
        logits = self.logits(hidden)
        within = self._single and keras.backend.backend() == "tensorflow" and not large
        return (logits + ops.cast(bias, "float32"), None) if within else (logits, bias)

    def hidden_gradient(self, d_logits: Any) -> Any:
        """Returns the rows' from that of their logits. `(rows, features)`."""
        return ops.matmul(d_logits, self.factors)

    def kernel_gradient(self, d_logits: Any, hidden: Any) -> Any:
        """Returns the kernel's from those of the logits of some rows, to be added up; in `gradient_shape`."""
        if self._turned:
            return ops.matmul(ops.transpose(hidden), d_logits)
        return ops.matmul(ops.transpose(d_logits), hidden)

    def gradients(self, powers: Any, scaled: Any, scale: Any) -> tuple[Any, Any]:
        """Returns the kernel's gradient as `kernel_gradient` does, and the bias's, in float32.

        Args:
            powers: Gradients of the logits but for each row's scale. `(rows, vocabulary)`
            scaled: Rows times their scale. `(rows, features)`
            scale: `(rows,)`
        """
        rows, column = powers.shape[0], ops.cast(scale, powers.dtype)
        if self._in_tiles and rows is not None and rows >= _MANY * self._features:
            columns = ops.pad(column[:, None], ((0, 0), (0, _TILE - 1)))
            both = self.kernel_gradient(powers, ops.concatenate([scaled, columns], -1))
            return compiled(_widened_and_cut)(both, self._features)
        if self._turned:
            both = self.kernel_gradient(powers, ops.concatenate([scaled, column[:, None]], -1))
            return both[: self._features], both[self._features]
        d_bias = ops.matmul(column[None], powers)[0]
        return ops.cast(self.kernel_gradient(powers, scaled), "float32"), ops.cast(d_bias, "float32")

    def whole(self, d_kernel: Any) -> Any:
        """Returns the kernel's gradient, added up, in the kernel's shape."""
        return ops.transpose(d_kernel) if self._turned else d_kernel


def _widened_and_cut(both: Any, features: int) -> tuple[Any, Any]:
    """Returns a kernel's gradient, and the bias's, which is the column behind it, in float32."""
    return ops.cast(both[:, :features], "float32"), ops.cast(both[:, features], "float32")
