"""Softmax cross-entropy over large vocabularies, in chunks: the array of all tokens' logits never exists.

Each chunk's logits are made once. In training its gradients are made with it, for a gradient from above of 1, and
scaled afterwards: three large products a chunk, where making the logits anew in the backward pass takes four. Powers
stay undivided by their sums: what multiplies a row is put on the small side of the products. A target's slope is the
sum of the others' powers: as a difference from 1 it would be a small number between two rounded ones, and its error
large. Where it can be written among the powers in place, it is; else it is taken into account in the small tensors,
without another pass over the powers. Under JAX on a GPU there is such a pass, for rows added to a table where the
targets say took longer there than all else. One chunk follows the other, in a loop, so that no two are in memory at
once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from textseq.layers.device import has_gpu
from textseq.layers.one_pass import compiled, narrowed, pays
from textseq.layers.order import after
from textseq.layers.softmax.native import native_loss
from textseq.layers.softmax.products import KernelProducts
from textseq.layers.upstream import scaled
from textseq.layers.variables import as_tensor

_CHUNK_LOGITS = 2**23  # of one chunk: 32 MiB in float32
_LEAST_ROWS = 512  # of a chunk, for each passes over the kernel's gradient: nine of 83 took 1.3 times as long
_CHUNK_LOGITS_ON_GPU = 2**25  # there is more work to share out; with 2**27 a step of 65,536 rows took 1.7 times as long
_WHOLE_LOGITS = 2**25  # made at once on a processor: for few rows a pass over the kernel's gradient weighs more
_LARGEST_SUM = 1e25  # of powers: far from where products of them overflow
_FAR_APART = 40.0  # nats between biases: powers so much smaller are still far from where they are none
_LARGE_LOGITS = 2**20  # from here on they are compiled on TensorFlow: 4 MiB leave the caches


def softmax_cross_entropy(hidden: Any, kernel: Any, bias: Any, targets: Any) -> Any:
    """Returns the negative log-likelihood of each target in nats, without a thought of gradients. `(rows,)`.

    Args:
        hidden: `(rows, features)`
        kernel: `(vocabulary, features)`, as an embedding table lies.
        bias: `(vocabulary,)`
        targets: Token ids. `(rows,)`
    """
    products, places = KernelProducts(kernel, hidden.dtype), ops.cast(targets, "int32")

    def one(sums: Any, hidden: Any, places: Any) -> Any:
        logits = _wide(products.logits(hidden), bias)
        return sums, (ops.logsumexp(logits, axis=-1) - _at(logits, places),)

    return _over_chunks(one, (), (hidden, places), kernel.shape[0], ((),))[1][0]


def weighted_softmax_cross_entropy(
    hidden: Any, kernel: Any, bias: Any, targets: Any, weights: Any, *, jit: bool = False, natively: bool = False
) -> Any:
    """Returns the weighted sum of the targets' negative log-likelihoods in nats, for training; a scalar.

    Args:
        hidden: `(rows, features)`; products are made in its data type, sums in float32.
        kernel: `(vocabulary, features)`
        bias: `(vocabulary,)`
        targets: Token ids. `(rows,)`
        weights: Of each row; no gradient flows to them. `(rows,)`
        jit: Whether XLA compiles this as a part of something larger; on TensorFlow, where it knows nothing in place.
        natively: Whether all is done by what is compiled for this processor.
    """
    if natively:
        return native_loss(hidden, as_tensor(kernel), as_tensor(bias), targets, weights)
    apart = has_gpu() or jit if keras.backend.backend() == "tensorflow" else not has_gpu()

    @ops.custom_gradient
    def forward(hidden: Any, kernel: Any, bias: Any) -> Any:
        products = KernelProducts(kernel, hidden.dtype)
        weight, places = ops.cast(weights, "float32"), ops.cast(targets, "int32")
        large = pays((hidden.shape[0], kernel.shape[0]), _LARGE_LOGITS)

        def one(sums: Any, hidden: Any, places: Any, weight: Any) -> Any:
            powers, others, left = _others(*products.logits_and_bias(hidden, bias, large), places, large)
            divisors = ops.exp(left) + others
            scale = weight / divisors
            slope = scale * others  # of the target's logit, turned round; the others' are their powers times the scale
            powers = powers if apart else _with_slopes(powers, others, places)
            weighted = ops.cast(ops.cast(hidden, "float32") * scale[:, None], hidden.dtype)
            d_hidden = ops.cast(products.hidden_gradient(powers), "float32") * scale[:, None]
            if apart:
                d_hidden = d_hidden - ops.cast(ops.take(products.factors, places, axis=0), "float32") * slope[:, None]
            more = products.gradients(powers, after(d_hidden, weighted), scale)
            made = (ops.sum((ops.log(divisors) - left) * weight), *more)
            return tuple(map(_added, sums, made)), (d_hidden, slope)

        shapes, own = ((), products.gradient_shape, bias.shape), (hidden.shape[1:], ())
        parts = (hidden, places, weight)
        (total, d_kernel, d_bias), (d_hidden, slope) = _over_chunks(one, shapes, parts, kernel.shape[0], own)
        d_kernel = products.whole(d_kernel)
        if apart:
            d_kernel = _less_at(d_kernel, places, ops.cast(hidden, "float32") * slope[:, None])
            d_bias = _less_at(d_bias, places, slope)

        def backward(*args: Any, upstream: Any = None) -> Any:
            scale = args[0] if upstream is None else upstream
            found = ((d_hidden, hidden), (d_kernel, kernel), (d_bias, bias))
            return tuple(ops.cast(scaled(gradient, scale), part.dtype) for gradient, part in found)

        return total, backward

    return forward(hidden, as_tensor(kernel), as_tensor(bias))


def _others(logits: Any, bias: Any, targets: Any, large: bool) -> tuple[Any, Any, Any]:
    """Returns a chunk's powers, 0 at the targets, their sums, and the targets' logits over what powers are over."""
    if not large:
        return _with_sums(*_over_highest(logits, bias, targets))
    import tensorflow as tf

    # To look for the highest logit takes as long as the powers. Over the target's they overflow where a loss is huge.
    quick = _with_sums(*compiled(_over_target)(logits, bias, targets))

    def again() -> Any:
        return _with_sums(*compiled(_over_highest)(logits, bias, targets))

    return tf.cond(tf.reduce_max(quick[1]) < _LARGEST_SUM, lambda: quick, again)


def _over_highest(logits: Any, bias: Any, targets: Any) -> tuple[Any, Any]:
    wide, highest = _wide(logits, bias), _highest(logits, bias)
    return _powers(wide, targets, highest, logits.dtype), _at(wide, targets) - highest


def _highest(logits: Any, bias: Any) -> Any:
    """Returns each row's highest logit; on a processor under JAX that without the bias, and the highest bias.

    To look for the highest sum, XLA writes all of them down there. Where biases lie far apart it has to.
    """

    def exact() -> Any:
        return ops.max(_wide(logits, bias), axis=-1, initial=-1e30)  # a cluster may have no rows

    if bias is None or keras.backend.backend() == "tensorflow" or has_gpu():
        return exact()
    biases = ops.cast(bias, "float32")
    most = ops.max(biases)

    def above() -> Any:
        return ops.max(_wide(logits, None), axis=-1, initial=-1e30) + most

    return ops.cond(most - ops.min(biases) < _FAR_APART, above, exact)


def _over_target(logits: Any, bias: Any, targets: Any) -> tuple[Any, Any]:
    wide = _wide(logits, bias)
    target = _at(wide, targets)
    return _powers(wide, targets, target, logits.dtype), ops.zeros_like(target)


def _powers(logits: Any, targets: Any, over: Any, dtype: Any) -> Any:
    """Returns the powers of what logits are more than each row's `over`, and 0 at the targets."""
    powers = ops.where(_is_target(logits, targets), 0.0, ops.exp(logits - over[:, None]))
    return narrowed(powers, dtype) if keras.backend.backend() == "tensorflow" else ops.cast(powers, dtype)


def _is_target(logits: Any, targets: Any) -> Any:
    return ops.arange(logits.shape[1], dtype="int32") == targets[:, None]


def _with_slopes(powers: Any, others: Any, targets: Any) -> Any:
    """Returns the powers, and at the targets, where they are 0, the sums of the others', turned round."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # Of the additions to some elements that there are, only this one is made in place, where nothing else reads it.
        at = tf.stack([tf.range(tf.shape(targets)[0]), targets], 1)
        slopes = tf.cast(-others, powers.dtype)
        return tf.raw_ops.ScatterNdNonAliasingAdd(input=powers, indices=at, updates=slopes)
    return ops.where(_is_target(powers, targets), ops.cast(-others, powers.dtype)[:, None], powers)


def _with_sums(powers: Any, left: Any) -> tuple[Any, Any, Any]:
    if keras.backend.backend() == "tensorflow":  # as a product, which reads them quicker than its own sum
        sums = ops.matmul(powers, ops.ones((powers.shape[1], 1), powers.dtype))[:, 0]
    else:
        sums = ops.sum(ops.cast(powers, "float32"), -1)
    return powers, ops.cast(sums, "float32"), left


def _wide(logits: Any, bias: Any) -> Any:
    wide = ops.cast(logits, "float32")
    return wide if bias is None else wide + ops.cast(bias, "float32")


def _at(logits: Any, targets: Any) -> Any:
    return ops.take_along_axis(logits, targets[:, None], axis=-1)[:, 0]


# (sums so far, the chunk's rows of each part) -> (sums, what its rows have of their own)
One = Callable[..., tuple[tuple[Any, ...], tuple[Any, ...]]]


def _over_chunks(
    one: One, shapes: tuple[Any, ...], parts: tuple[Any, ...], vocabulary: int, row_shapes: tuple[Any, ...]
) -> Any:
    """Adds up what chunks of rows give, and puts their own rows one after the other.

    Args:
        one: What to do with a chunk.
        shapes: Of the sums, which begin at 0 and are float32.
        parts: Tensors with the rows first.
        vocabulary: Logits a row.
        row_shapes: Of a row of each of the outcomes, which are float32.

    Returns:
        The sums and the outcomes.
    """
    logits = _CHUNK_LOGITS_ON_GPU if has_gpu() else _CHUNK_LOGITS
    size, rows = max(logits // vocabulary, _LEAST_ROWS), parts[0].shape[0]
    nothing: tuple[Any, ...] = (None,) * len(shapes)
    whole = logits if has_gpu() else _WHOLE_LOGITS
    if rows is not None and rows <= max(size, whole // vocabulary):
        return one(nothing, *parts)
    if rows is not None:
        size = -(-rows // -(-rows // size))  # as many chunks, and alike
    if keras.backend.backend() == "tensorflow":
        return _tensorflow_chunks(one, tuple(ops.zeros(shape, "float32") for shape in shapes), parts, size, row_shapes)
    sums, found = nothing, []
    for begin in range(0, rows, size):
        sums, own = one(sums, *(part[begin : begin + size] for part in parts))
        found.append(own)
    return sums, tuple(ops.concatenate(own, 0) for own in zip(*found, strict=True))


def _tensorflow_chunks(one: One, sums: tuple[Any, ...], parts: tuple[Any, ...], size: int, row_shapes: Any) -> Any:
    import tensorflow as tf

    count = (tf.shape(parts[0])[0] + size - 1) // size
    lists = tuple(
        tf.TensorArray("float32", count, element_shape=(None, *shape), infer_shape=False) for shape in row_shapes
    )

    def body(number: Any, sums: Any, lists: Any) -> Any:
        sums, found = one(sums, *(part[number * size : (number + 1) * size] for part in parts))
        return number + 1, sums, tuple(own.write(number, rows) for own, rows in zip(lists, found, strict=True))

    _, sums, lists = tf.while_loop(lambda number, *_: number < count, body, (0, sums, lists), parallel_iterations=1)
    whole = tuple(own.concat() for own in lists)
    for rows, shape in zip(whole, row_shapes, strict=True):
        rows.set_shape((parts[0].shape[0], *shape))
    return sums, whole


def _less_at(table: Any, places: Any, amounts: Any) -> Any:
    """Takes each row's amount from the table's row at its place."""
    return ops.scatter_update(table, places[:, None], -amounts, reduction="add")


def _added(total: Any, more: Any) -> Any:
    return more if total is None else total + more
