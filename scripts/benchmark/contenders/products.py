"""A floor: the matrix products of a language model's step alone, in textseq's forms, of factors that lie ready.

A loop over time is there as it is in a step, for each of its products waits for the one before. What stands between
products is not: gates, norms, the softmax's powers, the optimizer. No step takes less, unless its products do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from benchmark.specification import Contender, Model
from textseq.layers.recurrence.cells import CELLS
from textseq.layers.recurrence.products import Product
from textseq.training.memory import keep_freed_memory

Tensors = list[Any]
Part = Callable[[], Tensors]  # does some of the products, and returns what came out


def make_step(contender: Contender, model: Model, cycle: int) -> Callable[[], None]:
    """Returns a function that does the products of one step."""
    keep_freed_memory(contender.backend)
    factors = _Factors(contender.precision)
    parts = [
        *_layers(factors, model),
        _dense(factors, model.items, model.units, model.vocabulary, by_rows=True),
    ]

    @tf.function
    def step() -> Tensors:
        return [tf.reshape(outcome, (-1,))[0] for part in parts for outcome in part()]  # so that none is left out

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


def _layers(factors: _Factors, model: Model) -> Iterator[Part]:
    width = model.embedding or model.units
    for _ in range(model.depth):
        if model.encoder == "transformer":
            yield from _block(factors, model)
        else:
            yield _recurrent_layer(factors, model, width)
        width = model.units


def _dense(factors: _Factors, rows: int, width: int, units: int, *, by_rows: bool = False) -> Part:
    """Returns the three products of a dense layer; its kernel may be `(units, width)`, as an embedding table lies."""
    inputs, upstream = factors.matrix(rows, width), factors.matrix(rows, units)
    kernel = factors.matrix(units, width) if by_rows else factors.matrix(width, units)

    def part() -> Tensors:
        gradient = (upstream, inputs) if by_rows else (inputs, upstream)
        return [
            tf.matmul(inputs, kernel, transpose_b=by_rows),
            tf.matmul(upstream, kernel, transpose_b=not by_rows),
            tf.matmul(*gradient, transpose_a=True),
        ]

    return part


def _block(factors: _Factors, model: Model) -> Iterator[Part]:
    """Yields the parts of a Transformer's block: four dense layers and attention."""
    units, rows = model.units, model.items
    for width, outputs in ((units, 3 * units), (units, units), (units, 4 * units), (4 * units, units)):
        yield _dense(factors, rows, width, outputs)
    heads = (model.batch, model.heads, model.time, units // model.heads)
    queries, keys, values, d_mixed = (factors.matrix(*heads) for _ in range(4))
    weights, d_scores = (factors.matrix(*heads[:3], model.time) for _ in range(2))

    def attention() -> Tensors:
        return [
            tf.matmul(queries, keys, transpose_b=True),
            tf.matmul(weights, values),
            tf.matmul(d_mixed, values, transpose_b=True),
            tf.matmul(weights, d_mixed, transpose_a=True),
            tf.matmul(d_scores, keys),
            tf.matmul(d_scores, queries, transpose_a=True),
        ]

    yield attention


def _recurrent_layer(factors: _Factors, model: Model, width: int) -> Part:
    cell, units, rows = CELLS[model.encoder], model.units, model.items
    product = Product(factors.dtype, factors.dtype, cell.gates, units)
    inputs, states, upstream = (factors.matrix(rows, columns) for columns in (width, units, cell.gates * units))
    kernel, recurrent = factors.matrix(width, cell.gates * units), factors.keeping_length(units, cell.gates)
    by_gate = [factors.ready(block) for block in tf.split(kernel, cell.gates, -1)]
    steps = [factors.ready(block) for block in product.of_steps(recurrent)]
    turned = [factors.ready(block) for block in product.turned_by_gate(recurrent / cell.gates**0.5)]
    first = factors.matrix(model.batch, units)

    def forward(h: Any) -> Tensors:
        return list(product.of_step(h, steps, h))

    def back(d: Any) -> Tensors:
        return [product.turned((d,) * cell.gates, d, turned)]

    def part() -> Tensors:
        return [
            *(tf.matmul(inputs, block) for block in by_gate),
            *_over_time(forward, first, cell.gates, model.time),
            *_over_time(back, first, 1, model.time),
            product.one(upstream, kernel, second_turned=True),
            product.one(inputs, upstream, first_turned=True),
            product.one(states, upstream, first_turned=True),
        ]

    return part


def _over_time(step: Callable[[Any], Tensors], first: Any, outcomes: int, time: int) -> Tensors:
    """Returns what the last of `time` steps gives; the first of its outcomes is what the next begins with."""
    begin = (tf.constant(0), [tf.convert_to_tensor(first)] * outcomes)
    _, last = tf.while_loop(
        lambda done, _: done < time, lambda done, given: (done + 1, step(given[0])), begin, parallel_iterations=1
    )
    return last
