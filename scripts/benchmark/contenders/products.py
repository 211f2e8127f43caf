"""The matrix products of a language model's step alone, in textseq's forms, of factors that lie ready.

They come in a step's order, each after those that it would wait for there. What stands between products is not here:
gates, norms, the softmax's powers, the optimizer. A recurrence's are those of TensorFlow's and XLA's loops: no step
takes less, unless its products do, as those of loops that are compiled for the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from benchmark.specification import Contender, Model
from textseq.layers.one_pass import compiled
from textseq.layers.order import after
from textseq.layers.recurrence.cells import CELLS
from textseq.layers.recurrence.loops import small
from textseq.layers.recurrence.products import Product
from textseq.layers.softmax.products import KernelProducts
from textseq.training.memory import keep_freed_memory

Tensors = list[Any]
Part = Callable[[], Tensors]  # does products that need not wait for each other, and returns what came out
Pair = tuple[Part, Part]  # those of the forward pass, and those that they bring into the backward pass


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that does the products of one step."""
    keep_freed_memory(contender.backend)
    factors = _Factors(contender.precision)
    pairs = [*_layers(factors, model), _softmax(factors, model)]
    order = [forward for forward, _ in pairs] + [back for _, back in reversed(pairs)]

    @tf.function
    def step() -> Tensors:
        before: Tensors = []
        ends = []  # so that no product is left out
        for part in order:
            with tf.control_dependencies(before):
                before = part()
            ends += [tf.reshape(outcome, (-1,))[0] for outcome in before]
        return ends

    return step


class _Factors:
    """Makes factors, as variables: what a graph knows beforehand it would multiply beforehand."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self._random = np.random.default_rng(0)

    def matrix(self, *shape: int) -> Any:
        """Returns random numbers of one size, whose products have about that size too."""
        return self.ready(self._random.normal(size=shape, scale=shape[-1] ** -0.5).astype(np.float32))

    def keeping_length(self, units: int, gates: int) -> Any:
        """Returns a recurrent kernel whose state neither grows nor fades over time: rotations side by side."""
        turns = [np.linalg.qr(self._random.normal(size=(units, units)))[0] for _ in range(gates)]
        return tf.constant(np.concatenate(turns, 1), self.dtype)

    def ready(self, value: Any) -> Any:
        """Returns a variable of the products' data type."""
        return tf.Variable(tf.cast(value, self.dtype), trainable=False)


def _layers(factors: _Factors, model: Model) -> Iterator[Pair]:
    width = model.embedding or model.units
    for _ in range(model.depth):
        yield from _block(factors, model) if model.encoder == "transformer" else _recurrent(factors, model, width)
        width = model.units


def _dense(factors: _Factors, rows: int, width: int, units: int) -> Pair:
    """Returns the products of a dense layer."""
    inputs, upstream, kernel = factors.matrix(rows, width), factors.matrix(rows, units), factors.matrix(width, units)
    return (
        lambda: [tf.matmul(inputs, kernel)],
        lambda: [tf.matmul(upstream, kernel, transpose_b=True), tf.matmul(inputs, upstream, transpose_a=True)],
    )


def _softmax(factors: _Factors, model: Model) -> Pair:
    """Returns the products of the softmax, whose kernel lies as an embedding table does."""
    hidden, upstream = (factors.matrix(model.items, columns) for columns in (model.units, model.vocabulary))
    kernel = factors.matrix(model.vocabulary, model.units)

    def products() -> KernelProducts:
        return KernelProducts(tf.convert_to_tensor(kernel), factors.dtype)

    def back() -> Tensors:
        d_hidden = products().hidden_gradient(upstream)
        return [d_hidden, products().kernel_gradient(upstream, after(d_hidden, hidden))]

    return lambda: [products().logits(hidden)], back


def _block(factors: _Factors, model: Model) -> Iterator[Pair]:
    """Yields the products of a Transformer's block."""
    units, rows = model.units, model.items
    heads = (model.batch, model.heads, model.time, units // model.heads)
    queries, keys, values, d_mixed = (factors.matrix(*heads) for _ in range(4))
    weights, d_scores = (factors.matrix(*heads[:3], model.time) for _ in range(2))
    yield _dense(factors, rows, units, 3 * units)
    yield (
        lambda: [tf.matmul(queries, keys, transpose_b=True)],
        lambda: [tf.matmul(d_scores, keys), tf.matmul(d_scores, queries, transpose_a=True)],
    )
    yield (
        lambda: [tf.matmul(weights, values)],
        lambda: [tf.matmul(d_mixed, values, transpose_b=True), tf.matmul(weights, d_mixed, transpose_a=True)],
    )
    for width, outputs in ((units, units), (units, 4 * units), (4 * units, units)):
        yield _dense(factors, rows, width, outputs)


def _recurrent(factors: _Factors, model: Model, width: int) -> Iterator[Pair]:
    """Yields the products of a recurrent layer: of all steps, and those of its loops."""
    cell, units, rows = CELLS[model.encoder], model.units, model.items
    inputs, states, upstream = (factors.matrix(rows, columns) for columns in (width, units, cell.gates * units))
    kernel, recurrent = factors.matrix(width, cell.gates * units), factors.keeping_length(units, cell.gates)
    first = factors.matrix(model.batch, units)
    alone = small(cell, model.time, first, factors.dtype)
    product = Product(factors.dtype, factors.dtype, cell.gates, units, whole=alone)
    by_gate = [factors.ready(block) for block in product.by_gate(tf.convert_to_tensor(kernel), not alone)]
    # Of 16 bits, those that XLA compiles are written in 32.
    looped = Product(factors.dtype, "float32", cell.gates, units, whole=True) if alone else product
    steps = [factors.ready(block) for block in looped.of_steps(recurrent)]
    turned = [factors.ready(block) for block in looped.turned_by_gate(recurrent / cell.gates**0.5)]
    yield (
        lambda: [tf.matmul(inputs, block) for block in by_gate],
        lambda: [
            product.one(upstream, kernel, second_turned=True),
            product.one(inputs, upstream, first_turned=True),
            product.one(states, upstream, first_turned=True),
        ],
    )

    def forwards(first: Any, *steps: Any) -> Tensors:
        return _over_time(lambda h: list(looped.of_step(h, list(steps), h)), first, cell.gates, model.time)

    def back(first: Any, *turned: Any) -> Tensors:
        def step(d: Any) -> Tensors:
            joined = tf.concat([d] * cell.gates, -1) if len(turned) == 1 else d
            return [looped.turned((looped.factor(d),) * cell.gates, joined, list(turned))]

        return _over_time(step, first, 1, model.time)

    if alone:
        first, forwards, back = tf.Variable(tf.cast(first, "float32")), compiled(forwards), compiled(back)
    yield lambda: forwards(first, *steps), lambda: back(first, *turned)


def _over_time(step: Callable[[Any], Tensors], first: Any, outcomes: int, time: int) -> Tensors:
    """Returns what the last of `time` steps gives; the first of its outcomes is what the next begins with."""
    begin = (tf.constant(0), [tf.convert_to_tensor(first)] * outcomes)
    _, last = tf.while_loop(
        lambda done, _: done < time, lambda done, given: (done + 1, step(given[0])), begin, parallel_iterations=1
    )
    return last
