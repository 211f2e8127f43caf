"""Checks of what training, precision and graphs need of an encoder."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from textseq.testing.comparing import array, difference, require, right_state, same
from textseq.testing.sequence_checks import SEEN
from textseq.testing.subject import ROWS, TIME, Subject, compiled, gradients


def dropout_is_for_training(subject: Subject, causal: bool) -> None:
    """Each dropout drops in training, and nowhere else."""
    plain = subject.made(causal)
    for name in subject.dropouts:
        more: dict[str, Any] = {name: 0.5}
        dropping = subject.make(causal, **more)
        for weight, value in zip(dropping.trainable_variables, plain.trainable_variables, strict=True):
            weight.assign(value)
        quiet = dropping(subject.inputs, training=False)
        same(quiet, dropping(subject.inputs, training=False), f"{name}=0.5, two calls outside training", 0.0)
        if not subject.arguments.get(name):
            wanted = plain(subject.inputs, training=False)
            same(quiet, wanted, f"{name}=0.5 outside training")
        noisy = array(dropping(subject.inputs, training=True))
        require(float(np.abs(noisy - array(quiet)).max()) > SEEN, f"{name}=0.5 does nothing in training")


def the_seed_decides_what_is_dropped(subject: Subject, causal: bool) -> None:
    """Two of one seed train alike, or no run can be repeated."""
    if not (names := subject.dropouts):
        return
    more: dict[str, Any] = dict.fromkeys(names, 0.5)
    first, second = (subject.make(causal, seed=3, **more)(subject.inputs, training=True) for _ in range(2))
    found = difference(first, second)
    require(found is None, f"{', '.join(names)}: two of one seed drop differently; {found}")


def every_weight_has_a_gradient(subject: Subject, causal: bool) -> None:
    """A weight that gets none is not trained."""
    encoder = subject.made(causal)
    direction = np.random.default_rng(5).normal(size=(ROWS, TIME, subject.units)).astype("float32")
    faults = []
    for weight, gradient in zip(encoder.trainable_variables, gradients(encoder, subject, direction), strict=True):
        if gradient is None:
            faults.append(f"{weight.path} does not reach the outputs")
        elif not np.isfinite(array(gradient)).all():
            faults.append(f"{weight.path} has an infinite gradient")
        elif not np.abs(array(gradient)).max(initial=0.0) > 0:
            faults.append(f"{weight.path} has a gradient of zeros")
    require(not faults, "; ".join(faults))


def half_precision_works(subject: Subject, causal: bool) -> None:
    """Outputs in the compute dtype, the state in float32, and numbers near those of float32."""
    full, half = subject.made(causal), subject.make(causal, dtype="mixed_bfloat16")
    half.set_weights(full.get_weights())
    inputs = ops.cast(subject.inputs, "bfloat16")
    outputs = half(inputs, mask=subject.mask)
    kind = keras.backend.standardize_dtype(outputs.dtype)
    others = [f"self.{name}" for name, part in vars(half).items() if _computes_otherwise(part, half)]
    which = f"; {', '.join(others)} computes in another precision" if others else ""
    require(kind == "bfloat16", f"the outputs are {kind} under mixed_bfloat16{which}")
    wanted = array(full(ops.cast(inputs, "float32"), mask=subject.mask))
    scale = max(float(np.abs(wanted).max()), 1.0)
    off = np.abs(array(ops.cast(outputs, "float32")) - wanted)[subject.mask].max() / scale
    require(float(off) < 0.1, f"the outputs are off by {off:.2f} of the largest")
    if subject.state(half) is not None:
        _, state = half(inputs, return_state=True)
        right_state(state, ROWS)


def _computes_otherwise(part: Any, encoder: Any) -> bool:
    return isinstance(part, keras.layers.Layer) and part.compute_dtype != encoder.compute_dtype


def a_graph_takes_any_shape(subject: Subject, causal: bool) -> None:
    """Training compiles once for all batches, and an export has one graph."""
    encoder = subject.made(causal)
    function = compiled(encoder)
    for rows, time in ((1, 1), (2, 3), (ROWS, TIME)):
        inputs, mask = subject.inputs[:rows, :time], subject.mask[:rows, :time]
        same(function(inputs, mask), encoder(inputs, mask=mask), f"compiled, a batch of {rows} × {time}")
