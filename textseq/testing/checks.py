"""The checks, one function each; its name is what has to hold. A check raises `Fault` with what it saw instead."""

from __future__ import annotations

import inspect
import re
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops, tree

from textseq.signatures import inspect_class
from textseq.testing.comparing import array, require, right_state, same, same_state
from textseq.testing.subject import FEATURES, ROWS, TIME, Holder, Subject, compiled, gradients

SEEN = 1e-6  # a change of the outputs above this is one
_PLAIN = {"bool", "int", "float", "str", "None", "Literal", "list", "tuple", "dict", "Sequence", "Mapping"}


def _shapes_are_right(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    for rows, time in ((ROWS, TIME), (1, 2), (3, 1)):
        outputs = encoder(subject.inputs[:rows, :time])
        wanted = (rows, time, subject.units)
        require(tuple(outputs.shape) == wanted, f"the outputs are {tuple(outputs.shape)}, not {wanted}")
    declared = tuple(encoder.compute_output_shape((None, None, FEATURES)))
    require(declared[-1] == subject.units, f"compute_output_shape says {declared}")


def _the_config_makes_it_again(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    again = subject.cls.from_config(encoder.get_config())
    again(subject.inputs)
    before = [tuple(weight.shape) for weight in encoder.weights]
    after = [tuple(weight.shape) for weight in again.weights]
    require(before == after, f"its weights are {after}, before they were {before}")
    again.set_weights(encoder.get_weights())
    same(again(subject.inputs), encoder(subject.inputs), "its outputs differ")


def _weights_are_saved_and_loaded(subject: Subject, causal: bool) -> None:
    first, second = Holder(subject.make(causal)), Holder(subject.make(causal, seed=1))
    first(subject.inputs), second(subject.inputs)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "encoder.weights.h5")
        first.save_weights(path)
        second.load_weights(path)
    same(second(subject.inputs), first(subject.inputs), "after loading its weights the outputs differ")


def _the_seed_decides_the_weights(subject: Subject, causal: bool) -> None:
    first, second = (subject.make(causal, seed=3, stirred=False) for _ in range(2))
    for one, other in zip(first.weights, second.weights, strict=True):
        same(one, other, f"{one.path} differs between two of one seed", tolerance=0.0)


def _padding_changes_nothing(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    spoiled = np.where(subject.mask[..., None], subject.inputs, 1e3).astype("float32")
    padded = array(encoder(spoiled, mask=subject.mask))
    for row, length in enumerate(subject.lengths):
        alone = array(encoder(subject.inputs[row : row + 1, :length]))[0]
        same(padded[row, :length], alone, f"a row of {length} tokens differs when padded to {TIME}")


def _a_row_alone_equals_the_row_in_a_batch(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    together = array(encoder(subject.inputs))
    for row in range(ROWS):
        alone = array(encoder(subject.inputs[row : row + 1]))[0]
        same(together[row], alone, "rows of a batch see each other")


def _a_row_without_tokens_is_finite(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    mask = subject.mask.copy()
    mask[1] = False
    outputs = array(encoder(subject.inputs, mask=mask))
    require(np.isfinite(outputs).all(), "a row of padding alone gives infinite numbers or none")
    same(outputs[0], array(encoder(subject.inputs, mask=subject.mask))[0], "it changes the other rows")


def _causal_alone_hides_the_future(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    before = array(encoder(subject.inputs))
    seen = False
    for step in range(1, TIME):
        changed = subject.inputs.copy()
        changed[:, step] += 1.0
        moved = float(np.abs(array(encoder(changed))[:, :step] - before[:, :step]).max())
        seen = seen or moved > SEEN
        if causal:
            require(moved <= SEEN, f"token {step} changes an output before it, by {moved:.1e}")
    require(causal or seen, "no token changes an output before it, so it is causal whether asked or not")


def _outputs_see_their_own_token(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    before = array(encoder(subject.inputs))
    for step in (0, TIME - 1):
        changed = subject.inputs.copy()
        changed[:, step] = -changed[:, step] + 0.5
        moved = np.abs(array(encoder(changed)) - before)[:, step].max(axis=0) > SEEN  # (units,)
        share = float(moved.mean())
        require(
            share >= 0.75,
            f"token {step} changes only {share:.0%} of the units of its own output: is a half of them out of order?",
        )


def _the_state_is_carried(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    state = subject.state(encoder)
    if state is None:
        return
    require(causal, "it gives a state without being causal, though no output is final before the last token")
    right_state(state, ROWS)
    whole, end = encoder(subject.inputs, return_state=True)
    same(encoder(subject.inputs, initial_state=state), whole, "the first state is not what it begins with")
    for cut in range(1, TIME):
        first, middle = encoder(subject.inputs[:, :cut], initial_state=state, return_state=True)
        second, last = encoder(subject.inputs[:, cut:], initial_state=middle, return_state=True)
        joined = np.concatenate([array(first), array(second)], 1)
        same(joined, whole, f"two calls, {cut} and {TIME - cut} tokens, differ from one")
        same_state(last, end, f"the state after {cut} and {TIME - cut} tokens differs from that after all at once")


def _the_state_ends_at_the_last_token(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    if subject.state(encoder) is None:
        return
    _, padded = encoder(subject.inputs, mask=subject.mask, return_state=True)
    for row, length in enumerate(subject.lengths):
        rest = subject.inputs[row : row + 1, :2]
        _, short = encoder(subject.inputs[row : row + 1, :length], return_state=True)
        mine = tree.map_structure(lambda part, row=row: part[row : row + 1], padded)
        wanted = encoder(rest, initial_state=short)
        same(encoder(rest, initial_state=mine), wanted, f"padding after {length} tokens changes what follows")


def _dropout_is_for_training(subject: Subject, causal: bool) -> None:
    plain = subject.make(causal)
    for name in _dropouts(subject.cls):
        more: dict[str, Any] = {name: 0.5}
        dropping = subject.make(causal, **more)
        for weight, value in zip(dropping.trainable_variables, plain.trainable_variables, strict=True):
            weight.assign(value)
        quiet = dropping(subject.inputs, training=False)
        same(quiet, dropping(subject.inputs, training=False), f"{name}: two calls outside training differ", 0.0)
        if not subject.arguments.get(name):
            wanted = plain(subject.inputs, training=False)
            same(quiet, wanted, f"{name} changes the outputs outside training")
        noisy = array(dropping(subject.inputs, training=True))
        require(float(np.abs(noisy - array(quiet)).max()) > SEEN, f"{name} does nothing in training")


def _every_weight_has_a_gradient(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    direction = np.random.default_rng(5).normal(size=(ROWS, TIME, subject.units)).astype("float32")
    for weight, gradient in zip(encoder.trainable_variables, gradients(encoder, subject, direction), strict=True):
        require(gradient is not None, f"{weight.path} does not reach the outputs")
        found = array(gradient)
        require(np.isfinite(found).all(), f"{weight.path} has an infinite gradient")
        require(bool(np.abs(found).max() > 0), f"{weight.path} has a gradient of zeros")


def _half_precision_works(subject: Subject, causal: bool) -> None:
    full, half = subject.make(causal), subject.make(causal, dtype="mixed_bfloat16")
    half.set_weights(full.get_weights())
    inputs = ops.cast(subject.inputs, "bfloat16")
    outputs = half(inputs, mask=subject.mask)
    kind = keras.backend.standardize_dtype(outputs.dtype)
    require(kind == "bfloat16", f"the outputs are {kind} under mixed_bfloat16")
    wanted = array(full(ops.cast(inputs, "float32"), mask=subject.mask))
    scale = max(float(np.abs(wanted).max()), 1.0)
    difference = np.abs(array(ops.cast(outputs, "float32")) - wanted)[subject.mask].max() / scale
    require(float(difference) < 0.1, f"the outputs are off by {difference:.2f} of the largest")
    if subject.state(half) is not None:
        _, state = half(inputs, return_state=True)
        right_state(state, ROWS)


def _a_graph_takes_any_shape(subject: Subject, causal: bool) -> None:
    encoder = subject.make(causal)
    function = compiled(encoder)
    for rows, time in ((2, 3), (ROWS, TIME), (1, 1)):
        inputs, mask = subject.inputs[:rows, :time], subject.mask[:rows, :time]
        same(function(inputs, mask), encoder(inputs, mask=mask), f"compiled, a batch of {rows} × {time} differs")


def _arguments_are_plain_and_documented(subject: Subject, causal: bool) -> None:
    arguments = inspect_class(subject.cls).arguments
    require(bool(arguments) and arguments[0].name == "units", "the constructor's first argument is not units")
    require(any(argument.name == "causal" for argument in arguments), "the constructor takes no causal")
    for argument in arguments:
        require(argument.name == "units" or not argument.required, f"{argument.name} has no default")
        words = set(re.findall(r"[A-Za-z_]\w*", re.sub(r"'[^']*'|\"[^\"]*\"", "", argument.annotation)))
        plain = bool(words) and words <= _PLAIN
        require(plain, f"{argument.name} is of no plain type. Received: {argument.annotation!r}")
    own = set(inspect.signature(subject.cls.__init__).parameters)
    documented = {argument.name for argument in arguments if argument.doc}
    missing = sorted({argument.name for argument in arguments} & own - documented)
    require(not missing, f"its docstring says nothing of {', '.join(missing)} (under Args:)")


ENCODER_CHECKS: tuple[Callable[[Subject, bool], None], ...] = (
    _arguments_are_plain_and_documented,
    _shapes_are_right,
    _the_config_makes_it_again,
    _weights_are_saved_and_loaded,
    _the_seed_decides_the_weights,
    _padding_changes_nothing,
    _a_row_alone_equals_the_row_in_a_batch,
    _a_row_without_tokens_is_finite,
    _causal_alone_hides_the_future,
    _outputs_see_their_own_token,
    _the_state_is_carried,
    _the_state_ends_at_the_last_token,
    _dropout_is_for_training,
    _every_weight_has_a_gradient,
    _half_precision_works,
    _a_graph_takes_any_shape,
)


def _dropouts(cls: type) -> list[str]:
    return [argument.name for argument in inspect_class(cls).arguments if "dropout" in argument.name]


def quickly(check: Callable[..., Any]) -> AbstractContextManager[Any]:
    """Keeps JAX from compiling every loop of every encoder anew, which takes minutes; a graph's check needs it to."""
    if keras.backend.backend() != "jax" or check is _a_graph_takes_any_shape:
        return nullcontext()
    import jax

    return jax.disable_jit()
