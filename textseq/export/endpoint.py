"""What an exported model offers: named functions of named tensors, each with a sentence on what it means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf


@dataclass(frozen=True)
class Input:
    """One input of a signature.

    Attributes:
        spec: Its name, data type and shape; the batch, which is never fixed, first.
        doc: What it means.
        example: One row of it, for warm-up.
    """

    spec: tf.TensorSpec
    doc: str
    example: Any

    @classmethod
    def make(cls, name: str, dtype: Any, example: Any, doc: str, shape: tuple[int | None, ...] = (None,)) -> Input:
        """Makes one, `(batch,)` unless a shape is given."""
        return cls(tf.TensorSpec(shape, dtype, name=name), doc, example)


@dataclass(frozen=True)
class Endpoint:
    """One signature.

    Attributes:
        name: As clients call it.
        doc: What it does.
        inputs: In order.
        outputs: What each output means, by name.
        function: Takes a dictionary of the inputs, returns one of the outputs; every output has the batch first.
    """

    name: str
    doc: str
    inputs: tuple[Input, ...]
    outputs: Mapping[str, str]
    function: Callable[[Mapping[str, Any]], Mapping[str, Any]]

    def renamed(self, name: str) -> Endpoint:
        """Returns the same under another name."""
        return Endpoint(name, self.doc, self.inputs, self.outputs, self.function)


def one_row(item: Input) -> Any:
    """Returns an input's example as a batch of one: an array, or a list of bytes."""
    if item.spec.dtype == tf.string:
        return [item.example if isinstance(item.example, bytes) else item.example.encode()]
    return np.array([item.example], item.spec.dtype.as_numpy_dtype)


def repeated(row: Any, count: int) -> Any:
    """Returns a batch of so many times one row."""
    return row * count if isinstance(row, list) else np.repeat(row, count, axis=0)
