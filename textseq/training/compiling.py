"""Whether a training step is compiled with XLA, and on what the recurrence runs; each decision with its reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras

from textseq.config import RunConfig
from textseq.errors import UsageError
from textseq.layers.attention import SelfAttention
from textseq.layers.dense import Dense
from textseq.layers.device import has_gpu
from textseq.layers.native.library import has_to_compile
from textseq.layers.native.operations import refusal as native_refusal
from textseq.layers.native.operations import softmax_refusal, wide_refusal
from textseq.layers.native.products import refusal as product_refusal
from textseq.layers.normalization import RMSNormalization
from textseq.layers.recurrence.layer import RecurrentLayer
from textseq.layers.softmax import AdaptiveSoftmax, FullSoftmax
from textseq.training.fused_optimizers import OnePass


@dataclass(frozen=True)
class Compiling:
    """A decision.

    Attributes:
        jit: What `keras.Model.compile` takes as `jit_compile`.
        reason: Why, for the log.
    """

    jit: bool
    reason: str

    def __str__(self) -> str:
        """Returns the line for the log."""
        return f"XLA {'on' if self.jit else 'off'}: {self.reason}"


def choose(config: RunConfig, model: keras.Model, *, fixed_shapes: bool) -> Compiling:
    """Decides by a rule, never by a clock, so that the same config gives the same numbers each time.

    On the CPU under TensorFlow XLA fuses what stands between products, but makes the products themselves slower, and
    compiles anew for each shape: there the whole step is left alone (`scripts/bench.py --only lm-lstm-650 --only
    lm-transformer`), and layers compile what is theirs: what is large between products (`textseq.layers.one_pass`), and
    small loops (`textseq.layers.recurrence.loops`).

    Args:
        config: Says what is wanted, and the precision.
        model: Built.
        fixed_shapes: Whether all training batches have one shape.
    """
    wanted = config.training.jit
    if keras.backend.backend() == "jax":
        return Compiling(True, "JAX compiles every step")
    if wanted != "auto":
        jit = wanted in (True, "true")
        return Compiling(jit, f"training.jit is {str(jit).lower()}")
    layers = list(model._flatten_layers())
    if not fixed_shapes:
        return Compiling(False, "the lengths of texts vary, and each would be compiled anew")
    if any(isinstance(layer, AdaptiveSoftmax) for layer in layers):
        return Compiling(False, "an adaptive softmax takes as many rows as the batch has rare tokens")
    if any(isinstance(layer, RecurrentLayer) for layer in layers):
        return Compiling(
            False, "it makes large products of a recurrence slower; on a CPU small loops are compiled alone"
        )
    if any(isinstance(layer, SelfAttention) for layer in layers):
        if has_gpu():
            return Compiling(True, "it fuses attention's small operations")
        return Compiling(False, "on a CPU it makes products slower; what stands between large ones is compiled alone")
    return Compiling(False, "not known to help this encoder; training.jit: true tries it")


def take_native_loops(
    config: RunConfig, model: keras.Model, say: Callable[[str], None] | None, *, jit: bool
) -> str | None:
    """Has recurrent layers and softmaxes run by loops compiled for this processor, where the config does not forbid.

    Args:
        config: Says what is wanted.
        model: Built.
        say: Takes a line where something has to be compiled first; None for silence.
        jit: Whether XLA compiles the whole step.

    Returns:
        The line for the log; None where there is no such layer, or there is a GPU.

    Raises:
        UsageError: The config demands them, and this machine has none.
    """
    layers = list(model._flatten_layers())
    kinds = [
        (name, own_refusal, [layer for layer in layers if isinstance(layer, kind)])
        for name, own_refusal, kind in (
            ("recurrent loops", native_refusal, RecurrentLayer),
            ("attention", wide_refusal, SelfAttention),
            ("softmax", softmax_refusal, FullSoftmax | AdaptiveSoftmax),
            ("normalisation", wide_refusal, RMSNormalization),
            ("dense layers", product_refusal, Dense),
        )
    ]
    types = [layer.compute_dtype for layer in next((chosen for _, _, chosen in kinds if chosen), [])]
    if not types:
        return None
    reason = _native_refusal(config.training.native_loops, types, say, jit=jit)
    if reason is not None and config.training.native_loops in (True, "true"):
        raise UsageError(
            f"training.native_loops is true, but the loops cannot be compiled ones: {reason}. "
            "Mend that, or set it to auto."
        )
    refusals = {}
    for name, own_refusal, chosen in kinds:
        for layer in chosen:
            refusals[name] = layer.native_refusal = reason or own_refusal(layer.compute_dtype)
    return None if has_gpu() else native_line(refusals)


def take_native_norm(optimizer: keras.optimizers.Optimizer, model: keras.Model) -> None:
    """Has gradients' norm made by what is compiled for this processor, where layers of the model are."""
    if isinstance(optimizer, OnePass):
        optimizer.native = any(getattr(layer, "native_refusal", "") is None for layer in model._flatten_layers())


def _native_refusal(
    wanted: str | bool, types: list[str], say: Callable[[str], None] | None, *, jit: bool
) -> str | None:
    if wanted in (False, "false"):
        return "training.native_loops is false"
    if jit and keras.backend.backend() == "tensorflow":
        return "XLA compiles the whole step"
    if say and not has_gpu() and has_to_compile(keras.backend.backend()):
        say("Compiling the loops of this model for this processor, once: some ten seconds …")
    return next(filter(None, map(native_refusal, types)), None)


def native_line(refusals: dict[str, str | None]) -> str:
    """Returns what is compiled for this processor, and what is not and why; the reasons by what they are of."""
    backend = "JAX" if keras.backend.backend() == "jax" else "TensorFlow"
    said = []
    for reason in dict.fromkeys(refusals.values()):
        *names, last = (name for name, own in refusals.items() if own == reason)
        together = f"{', '.join(names)} and {last}" if names else last
        how = "compiled for this processor"
        said.append(f"{together} {how}" if reason is None else f"{together} by {backend}, not {how}: {reason}")
    line = "; ".join(said)
    return line[0].upper() + line[1:]


def recurrence_line(model: keras.Model) -> str | None:
    """Returns what the recurrent layers run on, where there is a choice: on a GPU under TensorFlow."""
    if keras.backend.backend() != "tensorflow" or not has_gpu():
        return None
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, RecurrentLayer)]
    refusals = sorted({layer.cudnn_refusal for layer in layers if layer.cudnn_refusal})
    if not layers:
        return None
    return f"Recurrence by textseq's own operation: {'; '.join(refusals)}" if refusals else "Recurrence by cuDNN"
