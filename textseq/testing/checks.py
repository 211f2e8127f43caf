"""The checks of encoders in their order. The name of each is what has to hold; one raises `Fault` with what it saw."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras

import textseq.testing.making_checks as making
import textseq.testing.sequence_checks as sequences
import textseq.testing.training_checks as training
from textseq.testing.subject import Subject

Check = Callable[[Subject, bool], None]

# Where this one fails no other can be tried.
FIRST: Check = making.it_can_be_made_and_called
ENCODER_CHECKS: tuple[Check, ...] = (
    making.arguments_are_plain_and_documented,
    FIRST,
    making.weights_are_made_with_the_first_call,
    sequences.shapes_are_right,
    making.the_config_makes_it_again,
    making.weights_are_saved_and_loaded,
    making.the_seed_decides_the_weights,
    sequences.two_calls_agree,
    sequences.padding_changes_nothing,
    sequences.a_row_alone_equals_the_row_in_a_batch,
    sequences.a_row_without_tokens_is_finite,
    sequences.causal_alone_hides_the_future,
    sequences.outputs_see_their_own_token,
    sequences.the_state_has_the_rows_first,
    sequences.the_state_is_carried,
    sequences.the_state_ends_at_the_last_token,
    training.dropout_is_for_training,
    training.the_seed_decides_what_is_dropped,
    training.every_weight_has_a_gradient,
    training.half_precision_works,
    training.a_graph_takes_any_shape,
)


# They compile whole calls under JAX (`Subject.called`), or ask whether that can be.
COMPILED = (
    sequences.shapes_are_right,
    sequences.padding_changes_nothing,
    sequences.a_row_alone_equals_the_row_in_a_batch,
    sequences.a_row_without_tokens_is_finite,
    sequences.causal_alone_hides_the_future,
    sequences.outputs_see_their_own_token,
    sequences.the_state_has_the_rows_first,
    sequences.the_state_is_carried,
    sequences.the_state_ends_at_the_last_token,
    training.a_graph_takes_any_shape,
)


def quickly(check: Callable[..., Any]) -> AbstractContextManager[Any]:
    """Keeps JAX from compiling every loop of every encoder anew, which takes minutes, where no check needs it to."""
    if keras.backend.backend() != "jax" or check in COMPILED:
        return nullcontext()
    import jax

    return jax.disable_jit()
