"""Softmax cross-entropy over large vocabularies, in chunks: the array of all tokens' logits never exists.

Each chunk's logits are made once. In training its gradients are made with it, for a gradient from above of 1, and
scaled afterwards: three large products a chunk, where making the logits anew in the backward pass takes four. Powers
stay undivided by their sums: what multiplies a row is put on the small side of the products. What the targets take from
the slopes is taken from the gradients in float32, for they are smaller; in fewer bits that would be a difference of two
rounded numbers, and its error large beside a slope near 0. One chunk follows the other, in a loop, so that no two are
in memory at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from textseq.layers.one_pass import compiled, pays
from textseq.layers.variables import as_tensor

_CHUNK_LOGITS = 2**23  # of one chunk: 32 MiB in float32
_WHOLE_LOGITS, _WHOLE_ROWS = 2**25, 2**10  # made at once: for few rows a pass over the kernel's gradient weighs more
_LARGE_LOGITS = 2**21  # from here on they are compiled on TensorFlow: 8 MiB leave the caches


def softmax_cross_entropy(hidden: Any, kernel: Any, bias: Any, targets: Any) -> Any:
    """Returns the negative log-likelihood of each target in nats, without a thought of gradients. `(rows,)`.

    Args:
        hidden: `(rows, features)`
        kernel: `(vocabulary, features)`, as an embedding table lies.
        bias: `(vocabulary,)`
        targets: Token ids. `(rows,)`
    """
    factors, places = ops.cast(kernel, hidden.dtype), ops.cast(targets, "int32")

    def one(sums: Any, hidden: Any, places: Any) -> Any:
        return sums, _powers(ops.matmul(hidden, ops.transpose(factors)), bias, places)[0]

    return _over_chunks(one, (), (hidden, places), kernel.shape[0], ())[1]


def weighted_softmax_cross_entropy(hidden: Any, kernel: Any, bias: Any, targets: Any, weights: Any) -> Any:
    """Returns the weighted sum of the targets' negative log-likelihoods in nats, for training; a scalar.

    Args:
        hidden: `(rows, features)`; products are made in its data type, sums in float32.
        kernel: `(vocabulary, features)`
        bias: `(vocabulary,)`
        targets: Token ids. `(rows,)`
        weights: Of each row; no gradient flows to them. `(rows,)`
    """

    @ops.custom_gradient
    def forward(hidden: Any, kernel: Any, bias: Any) -> Any:
        factors = ops.cast(kernel, hidden.dtype)
        weight, places = ops.cast(weights, "float32"), ops.cast(targets, "int32")
        powers_of, slopes_of = _powers, _slopes
        if pays((hidden.shape[0], kernel.shape[0]), _LARGE_LOGITS):
            powers_of, slopes_of = compiled(_powers), compiled(_slopes)
        exact = keras.backend.standardize_dtype(hidden.dtype) == "float32"

        def one(sums: Any, hidden: Any, places: Any, weight: Any) -> Any:
            total, d_kernel, d_bias = sums
            logits = ops.matmul(hidden, ops.transpose(factors))
            # In float32 the bias goes into the product; a bias of fewer bits would lose what a softmax begins at.
            logits, more = (logits + ops.cast(bias, "float32"), None) if exact else (logits, bias)
            nll, powers, divisors = powers_of(logits, more, places)
            scale = (weight / divisors)[:, None]
            factor = powers if exact else slopes_of(powers, divisors, places, hidden.dtype)
            d_hidden = ops.cast(ops.matmul(factor, factors), "float32") * scale
            scaled = ops.cast(ops.cast(hidden, "float32") * scale, hidden.dtype)
            d_kernel = _added(d_kernel, ops.cast(ops.matmul(ops.transpose(factor), scaled), "float32"))
            d_bias = _added(d_bias, ops.matmul(ops.transpose(scale), powers)[0])
            return (_added(total, ops.sum(nll * weight)), d_kernel, d_bias), d_hidden

        shapes = ((), kernel.shape, bias.shape)
        (total, d_kernel, d_bias), d_hidden = _over_chunks(
            one, shapes, (hidden, places, weight), kernel.shape[0], hidden.shape[1:]
        )
        d_bias = _less_at(d_bias, places, weight)
        if exact:
            d_hidden -= ops.take(factors, places, axis=0) * weight[:, None]
            d_kernel = _less_at(d_kernel, places, hidden * weight[:, None])

        def backward(*args: Any, upstream: Any = None) -> Any:
            scale = args[0] if upstream is None else upstream
            found = ((d_hidden, hidden), (d_kernel, kernel), (d_bias, bias))
            return tuple(ops.cast(_times(gradient, scale), part.dtype) for gradient, part in found)

        return total, backward

    return forward(hidden, as_tensor(kernel), as_tensor(bias))


def _powers(logits: Any, bias: Any, targets: Any) -> tuple[Any, Any, Any]:
    """Returns a chunk's negative log-likelihoods, and its probabilities as powers and their sums, in float32."""
    logits = ops.cast(logits, "float32")
    logits = logits if bias is None else logits + ops.cast(bias, "float32")
    right = ops.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]
    highest = ops.max(logits, axis=-1, keepdims=True, initial=-1e30)  # a cluster may have no rows
    powers = ops.exp(logits - highest)
    sums = ops.sum(powers, axis=-1)
    return ops.log(sums) + highest[:, 0] - right, powers, sums


def _slopes(powers: Any, sums: Any, targets: Any, dtype: str) -> Any:
    """Returns the slopes of the logits, but for their rows' scale."""
    is_target = ops.arange(powers.shape[1], dtype="int32") == targets[:, None]
    return ops.cast(ops.where(is_target, powers - sums[:, None], powers), dtype)


One = Callable[..., tuple[tuple[Any, ...], Any]]  # (sums so far, the chunk's rows of each part) -> (sums, its own rows)


def _over_chunks(one: One, shapes: tuple[Any, ...], parts: tuple[Any, ...], vocabulary: int, width: Any) -> Any:
    """Adds up what chunks of rows give, and puts their own rows one after the other.

    Args:
        one: What to do with a chunk.
        shapes: Of the sums, which begin at 0 and are float32.
        parts: Tensors with the rows first.
        vocabulary: Logits a row.
        width: Shape of a row of the outcome.

    Returns:
        The sums and the rows.
    """
    size, rows = max(_CHUNK_LOGITS // vocabulary, 1), parts[0].shape[0]
    nothing: tuple[Any, ...] = (None,) * len(shapes)
    if rows is not None and rows <= max(size, min(_WHOLE_ROWS, _WHOLE_LOGITS // vocabulary)):
        return one(nothing, *parts)
    if rows is not None:
        size = -(-rows // -(-rows // size))  # as many chunks, and alike
    if keras.backend.backend() == "tensorflow":
        return _tensorflow_chunks(one, tuple(ops.zeros(shape, "float32") for shape in shapes), parts, size, width)
    sums, found = nothing, []
    for begin in range(0, rows, size):
        sums, own = one(sums, *(part[begin : begin + size] for part in parts))
        found.append(own)
    return sums, ops.concatenate(found, 0)


def _tensorflow_chunks(one: One, sums: tuple[Any, ...], parts: tuple[Any, ...], size: int, width: Any) -> Any:
    import tensorflow as tf

    count = (tf.shape(parts[0])[0] + size - 1) // size
    own = tf.TensorArray("float32", count, element_shape=(None, *width), infer_shape=False)

    def body(number: Any, sums: Any, own: Any) -> Any:
        sums, rows = one(sums, *(part[number * size : (number + 1) * size] for part in parts))
        return number + 1, sums, own.write(number, rows)

    _, sums, own = tf.while_loop(lambda number, *_: number < count, body, (0, sums, own), parallel_iterations=1)
    rows = own.concat()
    rows.set_shape((parts[0].shape[0], *width))
    return sums, rows


def _less_at(table: Any, places: Any, amounts: Any) -> Any:
    """Takes each row's amount from the table's row at its place."""
    return ops.scatter_update(table, places[:, None], -amounts, reduction="add")


def _times(gradient: Any, scale: Any) -> Any:
    """Returns a gradient scaled; where the scale is known to be 1, as of a whole loss, without a pass over it."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.get_static_value(scale) == 1.0:
            return gradient
    return gradient * scale


def _added(total: Any, more: Any) -> Any:
    return more if total is None else total + more
