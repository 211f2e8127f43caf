"""Checks of what an output depends on: its own token, the others, padding, other rows, and the state."""

from __future__ import annotations

from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from keras import tree

from textseq.testing.comparing import array, difference, refute, require, right_state, state_difference, tokens
from textseq.testing.subject import FEATURES, ROWS, TIME, Subject

SEEN = 1e-6  # a change of the outputs above this is one
_TIMES = range(1, TIME + 1)
_PARTS = tuple(combinations(_TIMES, 2))  # (1, 2), (1, 3) … : a shorter and a longer one
_SMALLEST_FIRST = sorted(_PARTS, key=lambda part: (part[1], part[0]))


def shapes_are_right(subject: Subject, causal: bool) -> None:
    """Outputs are as long as the inputs and as wide as asked."""
    encoder, call = subject.made(causal), subject.called(causal)
    for rows, time in ((1, 1), (1, 2), (3, 1), (ROWS, TIME)):
        found, wanted = tuple(call(subject.first(time, rows)).shape), (rows, time, subject.units)
        require(found == wanted, f"{rows} × {tokens(time)}: the outputs are {found}, not {wanted}")
    declared = tuple(encoder.compute_output_shape((None, None, FEATURES)))
    require(declared[-1] == subject.units, f"compute_output_shape says {declared}")


def two_calls_agree(subject: Subject, causal: bool) -> None:
    """Outside training nothing is drawn and nothing remembered."""
    encoder = subject.made(causal)

    def fault(rows: int, time: int) -> str | None:
        inputs = subject.first(time, rows)
        found = difference(encoder(inputs, training=False), encoder(inputs, training=False), tolerance=0.0)
        return found and f"the same {tokens(time)} twice: {found}"

    refute(fault(ROWS, TIME), (partial(fault, 1, time) for time in _TIMES))


def padding_changes_nothing(subject: Subject, causal: bool) -> None:
    """A row's outputs are those that it has without padding."""
    call = subject.called(causal)

    def fault(rows: int, time: int, lengths: tuple[int, ...]) -> str | None:
        mask = np.arange(time)[None] < np.array(lengths)[:, None]
        spoiled = np.where(mask[..., None], subject.first(time, rows), 1e3).astype("float32")
        padded = array(call(spoiled, mask=mask))
        for row, length in enumerate(lengths):
            alone = call(subject.inputs[row : row + 1, :length])
            if found := difference(padded[row : row + 1, :length], alone):
                return f"row {row}, {tokens(length)} padded to {time}: {found}"
        return None

    smaller = (partial(fault, 1, time, (length,)) for length, time in _SMALLEST_FIRST)
    refute(fault(ROWS, TIME, subject.lengths), smaller)


def a_row_alone_equals_the_row_in_a_batch(subject: Subject, causal: bool) -> None:
    """Rows of a batch do not see each other."""
    call = subject.called(causal)

    def fault(rows: int, time: int) -> str | None:
        inputs = subject.first(time, rows)
        together = array(call(inputs))
        for row in range(rows):
            if found := difference(together[row : row + 1], call(inputs[row : row + 1])):
                return f"row {row} of {rows}, {tokens(time)}: beside the others {found}"
        return None

    refute(fault(ROWS, TIME), (partial(fault, rows, time) for time in _TIMES for rows in range(2, ROWS + 1)))


def a_row_without_tokens_is_finite(subject: Subject, causal: bool) -> None:
    """An empty text stands in a batch sooner or later."""
    call = subject.called(causal)

    def fault(rows: int, time: int, empty: int) -> str | None:
        mask = subject.mask[:rows, :time].copy()
        mask[empty] = False
        inputs = subject.first(time, rows)
        outputs = array(call(inputs, mask=mask))
        if found := difference(outputs, np.where(np.isfinite(outputs), outputs, 0.0)):
            return f"{rows} × {time}, row {empty} without a token: {found}"
        others = [row for row in range(rows) if row != empty]
        found = difference(outputs[others], array(call(inputs, mask=subject.mask[:rows, :time]))[others])
        return found and f"row {empty} without a token changes the others: {found}"

    refute(fault(ROWS, TIME, 1), (partial(fault, 1, time, 0) for time in _TIMES))


def causal_alone_hides_the_future(subject: Subject, causal: bool) -> None:
    """With causal no output sees a later token; without, some do."""
    call = subject.called(causal)

    def leak(rows: int, time: int) -> str | None:
        inputs = subject.first(time, rows)
        before = array(call(inputs))
        for step in range(1, time):
            changed = inputs.copy()
            changed[:, step] += 1.0
            moved = np.abs(array(call(changed))[:, :step] - before[:, :step]).max(axis=-1)  # (rows, step)
            if (moved > SEEN).any():
                row, output = (int(place) for place in np.argwhere(moved > SEEN)[0])
                return f"row {row}, {tokens(time)}: token {step} changes output {output} by {moved[row, output]:.1e}"
        return None

    found = leak(ROWS, TIME)
    if causal:
        refute(found, (partial(leak, 1, time) for time in _TIMES))
    require(causal or found is not None, "no token changes an output before it, so it is causal whether asked or not")


def outputs_see_their_own_token(subject: Subject, causal: bool) -> None:
    """A half that is left in the order of its reading does not."""
    call = subject.called(causal)

    def fault(rows: int, time: int) -> str | None:
        inputs = subject.first(time, rows)
        before = array(call(inputs))
        for step in (0, time - 1):
            changed = inputs.copy()
            changed[:, step] = -changed[:, step] + 0.5
            sees = np.abs(array(call(changed)) - before)[:, step].max(axis=0) > SEEN  # (units,)
            if float(sees.mean()) < 0.75:
                blind = f"{int((~sees).sum())} of {len(sees)} units of output {step} do not see it"
                return f"{tokens(time)}, token {step}: {blind}; is a half of them out of order?"
        return None

    refute(fault(ROWS, TIME), (partial(fault, 1, time) for time in _TIMES))


def the_state_has_the_rows_first(subject: Subject, causal: bool) -> None:
    """A server makes states for any number of rows, and keeps each row's."""
    encoder = subject.made(causal)
    if not causal or subject.state(encoder) is None:  # one without causal is told by the check after this
        return
    call = subject.called(causal)
    for rows in (1, 3, ROWS):
        right_state(subject.state(encoder, rows), rows)
        _, after = call(subject.first(2, rows), return_state=True)
        right_state(after, rows)
    shapes = [[tuple(part.shape[1:]) for part in tree.flatten(subject.state(encoder, rows))] for rows in (1, 3)]
    require(shapes[0] == shapes[1], f"the state of one row is {shapes[0]}, of each of three {shapes[1]}")


def the_state_is_carried(subject: Subject, causal: bool) -> None:
    """Two calls, the state handed over, equal one on the whole."""
    encoder = subject.made(causal)
    state = subject.state(encoder)
    if state is None:
        return
    require(causal, "it gives a state without being causal, though no output is final before the last token")
    call = subject.called(causal)

    def fault(rows: int, cuts: tuple[int, ...], time: int) -> str | None:
        inputs = subject.first(time, rows)
        start = subject.state(encoder, rows)
        whole, end = call(inputs, return_state=True)
        if found := difference(call(inputs, initial_state=start), whole):
            return f"{tokens(time)}: the first state is not what it begins with; {found}"
        for cut in cuts:
            first, middle = call(inputs[:, :cut], initial_state=start, return_state=True)
            second, last = call(inputs[:, cut:], initial_state=middle, return_state=True)
            read = f"{tokens(time)} read as {cut} and {time - cut}"
            if found := difference(np.concatenate([array(first), array(second)], 1), whole):
                return f"{read}: {found} from one reading"
            if found := state_difference(last, end):
                return f"{read}: the state after them is another; {found}"
        return None

    smaller = (partial(fault, 1, (cut,), time) for cut, time in _SMALLEST_FIRST)
    refute(fault(ROWS, tuple(range(1, TIME)), TIME), smaller)


def the_state_ends_at_the_last_token(subject: Subject, causal: bool) -> None:
    """What follows a padded row follows its last token."""
    encoder = subject.made(causal)
    if not causal or subject.state(encoder) is None:
        return
    call = subject.called(causal)

    def fault(rows: int, time: int, lengths: tuple[int, ...]) -> str | None:
        mask = np.arange(time)[None] < np.array(lengths)[:, None]
        _, padded = call(subject.first(time, rows), mask=mask, return_state=True)
        for row, length in enumerate(lengths):
            rest = subject.inputs[row : row + 1, :2]
            _, short = call(subject.inputs[row : row + 1, :length], return_state=True)
            mine: Any = tree.map_structure(lambda part, row=row: part[row : row + 1], padded)
            wanted = call(rest, initial_state=short)
            if found := difference(call(rest, initial_state=mine), wanted):
                return f"row {row}, {tokens(length)} padded to {time}: of what follows {found}"
        return None

    smaller = (partial(fault, 1, time, (length,)) for length, time in _SMALLEST_FIRST)
    refute(fault(ROWS, TIME, subject.lengths), smaller)
