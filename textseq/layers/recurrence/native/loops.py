"""The compiled loops as operations of the backend."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from textseq.layers.device import has_gpu
from textseq.layers.recurrence.cells import CELLS
from textseq.layers.recurrence.loops import Run
from textseq.layers.recurrence.native.library import Unavailable, library

_NUMBERS = {name: number for number, name in enumerate(CELLS)}  # as `Cell` of recurrence.h


def refusal(operands: str = "float32") -> str | None:
    """Returns why the loops are not the compiled ones on this machine; None where they are.

    Args:
        operands: Data type of the products' factors.
    """
    if has_gpu():
        return "there is a GPU"
    if operands not in ("float32", "bfloat16"):
        return f"they take float32 and bfloat16, not {operands} (training.precision)"
    try:
        module = _loaded()
    except Unavailable as error:
        return str(error)
    if operands == "bfloat16" and not module.of_16_bits:
        return "this processor multiplies no tiles of bfloat16 (AMX)"
    return None


@dataclass(frozen=True)
class _Loaded:
    """What a library has: both loops as functions of tensors and, by name, attributes; and whether in 16 bits too."""

    forwards: Callable[..., Any]
    back: Callable[..., Any]
    of_16_bits: bool


@functools.cache
def _loaded() -> _Loaded:
    backend = keras.backend.backend()
    path = str(library(backend))
    try:
        return _of_jax(path) if backend == "jax" else _of_tensorflow(path)
    except (OSError, AttributeError) as error:
        raise Unavailable(f"{path} cannot be loaded: {error}") from error


def _multiplies_bfloat16(symbols: ctypes.CDLL) -> bool:
    says = symbols.textseq_multiplies_bfloat16
    says.restype = ctypes.c_bool
    return bool(says())


def _of_tensorflow(path: str) -> _Loaded:
    import tensorflow as tf

    try:
        operations = tf.load_op_library(path)
    except tf.errors.OpError as error:
        raise Unavailable(f"{path} cannot be loaded: {error}") from error

    def forwards(projected: Any, bias: Any, recurrent: Any, *given: Any, operands: str, **attributes: Any) -> Any:
        made = operations.textseq_recurrence(projected, bias, recurrent, *given, T=operands, **attributes)
        time, batch = projected.shape[:2]
        for tensor in (made.outputs, made.entering, *([made.cells] if attributes["cell"] == _NUMBERS["lstm"] else [])):
            tensor.set_shape((time, batch, recurrent.shape[0]))
        return tuple(made)

    def back(d_outputs: Any, *tensors: Any, operands: str, **attributes: Any) -> Any:
        made = operations.textseq_recurrence_back(d_outputs, *tensors, T=operands, **attributes)
        (time, batch, units), width = d_outputs.shape, tensors[5].shape[1]
        made.d_gates.set_shape((time, batch, width))
        made.d_bias.set_shape((None, width))
        made.d_h.set_shape((batch, units))
        if attributes["cell"] == _NUMBERS["lstm"]:
            made.d_c.set_shape((batch, units))
        if attributes["cell"] == _NUMBERS["gru"]:
            made.d_recurrent.set_shape((time, batch, width))
        return tuple(made)

    return _Loaded(forwards, back, _multiplies_bfloat16(ctypes.CDLL(path)))


def _of_jax(path: str) -> _Loaded:
    import jax

    ffi: Any = jax.ffi
    symbols = ctypes.CDLL(path)
    of_16_bits = _multiplies_bfloat16(symbols)
    for operands in ("float32", "bfloat16") if of_16_bits else ("float32",):
        for name in ("textseq_recurrence", "textseq_recurrence_back"):
            capsule = ffi.pycapsule(getattr(symbols, f"{name}_{operands}"))
            ffi.register_ffi_target(f"{name}_{operands}", capsule, platform="cpu")

    def call(name: str, shapes: list[tuple[Any, ...]], types: list[str], tensors: Any, attributes: Any) -> Any:
        struct: Any = jax.ShapeDtypeStruct
        returned = [struct(shape, dtype) for shape, dtype in zip(shapes, types, strict=True)]
        attributes = {**attributes, "cell": np.int32(attributes["cell"])}
        return tuple(ffi.ffi_call(name, returned)(*tensors, **attributes))

    def forwards(projected: Any, bias: Any, recurrent: Any, *given: Any, operands: str, **attributes: Any) -> Any:
        (time, batch, _), units, cell = projected.shape, recurrent.shape[0], attributes["cell"]
        widths = [units, units, units if cell == _NUMBERS["lstm"] else 0, 0 if cell == _NUMBERS["rnn"] else 4 * units]
        shapes, types = [(time, batch, width) for width in widths], ["float32", operands, "float32", "float32"]
        tensors = (projected, bias, recurrent, *given)
        return call(f"textseq_recurrence_{operands}", shapes, types, tensors, attributes)

    def back(d_outputs: Any, *tensors: Any, operands: str, **attributes: Any) -> Any:
        (time, batch, units), width, cell = d_outputs.shape, tensors[5].shape[1], attributes["cell"]
        gru, lstm = cell == _NUMBERS["gru"], cell == _NUMBERS["lstm"]
        steps = (time, batch)
        shapes = [(*steps, width), (*steps, width if gru else 0), (2 if gru else 1, width), (batch, units)]
        shapes += [(batch, units if lstm else 0)]
        types = [operands, operands, "float32", "float32", "float32"]
        return call(f"textseq_recurrence_back_{operands}", shapes, types, (d_outputs, *tensors), attributes)

    return _Loaded(forwards, back, of_16_bits)


@dataclass(frozen=True)
class Loops:
    """Both loops of a cell, run as `run` says."""

    run: Run

    def forwards(self, projected: Any, bias: Any, recurrent: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        """Runs a cell over time.

        Args:
            projected: The inputs' projections, without a bias. `(time, batch, gates·units)`
            bias: The layer's.
            recurrent: Kernel. `(units, gates·units)`
            given: As `given` of this class makes it.

        Returns:
            h; h as it entered the product, in the operands' data type; c, and what the way back needs beside them.
        """
        made: tuple[Any, ...] = _loaded().forwards(projected, bias, recurrent, *given, **self._attributes)
        return made

    def back(self, d_outputs: Any, d_last: tuple[Any, ...], made: tuple[Any, ...], recurrent: Any, given: Any) -> Any:
        """Runs through time the other way.

        Args:
            d_outputs: Gradient of h. `(time, batch, units)`
            d_last: Of the last state. `(batch, units)` each
            made: What `forwards` returned, without what entered the product.
            recurrent: Kernel.
            given: As before.

        Returns:
            The gradients of the gates' sums; of the recurrent product, where they are others; of the bias
            `(rows, gates·units)`; and of the first state.
        """
        d_h, d_c = self._state(d_last)
        tensors = (d_outputs, d_h, d_c, *made, recurrent, *given)
        d_gates, through, d_bias, *d_first = _loaded().back(*tensors, **self._attributes)
        through = through if self.run.cell.bias_rows == 2 else d_gates
        return d_gates, through, d_bias, tuple(d_first[: self.run.cell.states])

    def given(self, mask: Any, drop: Any, initial: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns what both ways read: the mask `(time, batch)`, what h is multiplied by, and the first state."""
        return ops.cast(mask[..., 0], "bool"), drop, *self._state(initial)

    def _state(self, state: tuple[Any, ...]) -> tuple[Any, Any]:
        h, c = state if len(state) == 2 else (state[0], ops.zeros((1, 1)))
        return h, c

    @property
    def _attributes(self) -> dict[str, Any]:
        run = self.run
        number = next(_NUMBERS[name] for name, cell in CELLS.items() if cell is run.cell)
        how = {"reverse": run.reverse, "masked": run.masked, "dropped": run.dropped}
        return {"operands": run.operands, "cell": number, **how}
