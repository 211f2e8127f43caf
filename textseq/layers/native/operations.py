"""What is compiled for this processor, as operations of the backend."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from textseq.layers.device import has_gpu
from textseq.layers.native.library import Unavailable, library

_IN_16_BITS = {  # whether an operation is there in 16 bits too
    "textseq_recurrence": True,
    "textseq_recurrence_back": True,
    "textseq_softmax": True,
    "textseq_adaptive_softmax": True,
    "textseq_product": False,
    "textseq_feed_forward": False,
    "textseq_feed_forward_back": False,
    "textseq_normalized": False,
    "textseq_normalized_back": False,
    "textseq_added_normalized": False,
    "textseq_added_normalized_back": False,
    "textseq_attention": False,
    "textseq_attention_back": False,
}

_NARROWEST = 8  # numbers of a vector; with four of them nothing was measured on a processor that has no more
_WIDE = 16  # of those that softmax and attention take; with 8 a softmax took 1.04 to 1.07 times as long as TensorFlow's


def refusal(operands: str = "float32") -> str | None:
    """Returns why nothing runs compiled for this processor here; None where it does.

    Args:
        operands: Data type of the products' factors.
    """
    if has_gpu():
        return "there is a GPU"
    if operands not in ("float32", "bfloat16"):
        return f"they take float32 and bfloat16, not {operands} (training.precision)"
    try:
        loaded = _loaded()
    except Unavailable as error:
        return str(error)
    if loaded.width < _NARROWEST:
        return "this processor's vectors have less than 256 bits, with which nothing was measured"
    if operands == "bfloat16" and not loaded.of_16_bits:
        return "this processor multiplies no tiles of bfloat16 (AMX)"
    return None


def softmax_refusal(operands: str = "float32") -> str | None:
    """Returns the same of a softmax."""
    return refusal(operands) if operands == "bfloat16" else wide_refusal(operands)


def wide_refusal(operands: str = "float32") -> str | None:
    """Returns the same of what is for float32 and vectors of 512 bits only."""
    if operands == "bfloat16":
        return "it takes float32, not bfloat16 (training.precision)"
    reason = refusal(operands)
    if reason is None and width() < _WIDE:
        return "without vectors of 512 bits (AVX-512) it would take longer"
    return reason


def call(
    name: str, tensors: Sequence[Any], returned: Sequence[tuple[tuple[Any, ...], str]], operands: str, **attributes: Any
) -> tuple[Any, ...]:
    """Calls an operation.

    Args:
        name: As the library has it.
        tensors: What it takes.
        returned: Shape, of which not all need be known on TensorFlow, and data type of each outcome.
        operands: Data type of the products' factors.
        **attributes: Booleans and whole numbers by name.
    """
    return _loaded().call(name, tensors, returned, operands, attributes)


def has_tiles() -> bool:
    """Whether this processor multiplies tiles of bfloat16 (AMX), and the system lets it."""
    return _loaded().of_16_bits


def width() -> int:
    """Returns how many numbers a vector of this processor holds, by which what is handed on is laid out."""
    return _loaded().width


@dataclass(frozen=True)
class _Loaded:
    """A library: its operations, called as `call` says, whether any work in 16 bits, and its vectors' width."""

    call: Callable[..., tuple[Any, ...]]
    of_16_bits: bool
    width: int


@functools.cache
def _loaded() -> _Loaded:
    backend = keras.backend.backend()
    path = str(library(backend))
    try:
        return _of_jax(path) if backend == "jax" else _of_tensorflow(path)
    except (OSError, AttributeError) as error:
        raise Unavailable(f"{path} cannot be loaded: {error}") from error


def _facts(symbols: ctypes.CDLL) -> tuple[bool, int]:
    multiplies, width = symbols.textseq_multiplies_bfloat16, symbols.textseq_width
    multiplies.restype, width.restype = ctypes.c_bool, ctypes.c_int64
    return bool(multiplies()), int(width())


def _of_tensorflow(path: str) -> _Loaded:
    import tensorflow as tf

    try:
        module = tf.load_op_library(path)
    except tf.errors.OpError as error:
        raise Unavailable(f"{path} cannot be loaded: {error}") from error

    def call(name: str, tensors: Any, returned: Any, operands: str, attributes: dict[str, Any]) -> tuple[Any, ...]:
        made = getattr(module, name)(*tensors, T=operands, **attributes)
        made = (made,) if len(returned) == 1 else tuple(made)
        for tensor, (shape, _) in zip(made, returned, strict=True):
            tensor.set_shape(shape)
        return made

    return _Loaded(call, *_facts(ctypes.CDLL(path)))


def _of_jax(path: str) -> _Loaded:
    import jax

    ffi: Any = jax.ffi
    symbols = ctypes.CDLL(path)
    of_16_bits, width = _facts(symbols)
    for name, also_16_bits in _IN_16_BITS.items():
        for operands in ("float32", "bfloat16") if of_16_bits and also_16_bits else ("float32",):
            capsule = ffi.pycapsule(getattr(symbols, f"{name}_{operands}"))
            ffi.register_ffi_target(f"{name}_{operands}", capsule, platform="cpu")

    def call(name: str, tensors: Any, returned: Any, operands: str, attributes: dict[str, Any]) -> tuple[Any, ...]:
        struct: Any = jax.ShapeDtypeStruct
        numbers = {key: value if isinstance(value, bool) else np.int32(value) for key, value in attributes.items()}
        shapes = [struct(shape, dtype) for shape, dtype in returned]
        return tuple(ffi.ffi_call(f"{name}_{operands}", shapes)(*tensors, **numbers))

    return _Loaded(call, of_16_bits, width)
