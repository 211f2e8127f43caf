"""The two loops of a recurrence: forwards, keeping what the way back needs, and back, to the gates' gradients.

On TensorFlow small ones are compiled, each by itself: to start one of their operations takes as long as its work.
Trainings on a processor take those of `native`, where there is a C++ compiler.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from textseq.layers.device import has_gpu
from textseq.layers.one_pass import compiled
from textseq.layers.recurrence.cells import Cell, Parts
from textseq.layers.recurrence.products import Product
from textseq.layers.recurrence.scan import scan

# Numbers: with fewer a training is over before it has won what compiling takes; with more XLA's products are slower
# than TensorFlow's by what it spares, or more.
_SMALL_STATES = range(2**10, 2**14)


@dataclass(frozen=True)
class Run:
    """How a cell is run over time.

    Attributes:
        cell: RNN, GRU or LSTM.
        reverse: Whether time runs backwards.
        operands: Data type of the products' factors.
        masked: Whether there are padded steps.
        dropped: Whether h is multiplied where it enters the recurrent product.
        keep: Whether the way back will need what is made.
        alone: Whether XLA compiles the loops, by themselves; see `compiles`.
    """

    cell: Cell
    reverse: bool
    operands: str
    masked: bool
    dropped: bool
    keep: bool
    alone: bool

    def product(self, dtype: Any, units: int) -> Product:
        """Returns the products of this run, for states of a data type and `units` wide."""
        return Product(self.operands, dtype, self.cell.gates, units if self.keep else None, whole=self.alone)

    def masks(self, mask: Any) -> tuple[Any, ...]:
        """Returns the mask as truth values, where there is one, in the form in which `_chosen` takes rows or units."""
        if not self.masked:
            return ()
        return (mask[..., 0] > 0.5,) if self.keep else (mask > 0.5,)

    def forwards(self, *tensors: Any) -> tuple[Parts, tuple[Any, ...]]:
        """Returns what `_forwards` does."""
        return self._loop(_forwards)(*tensors)

    def back(self, *tensors: Any) -> tuple[Parts, tuple[Any, ...]]:
        """Returns what `_back` does."""
        first, made = self._loop(_back)(*tensors)
        return first, tuple(self._read_as(self.operands, part) for part in made) if self.as_bits else made

    @property
    def as_bits(self) -> bool:
        """Whether a loop's arrays hold numbers of 16 bits as whole ones.

        Into an array of bfloat16 XLA writes a step by way of float32: the whole array, at each step.
        """
        return self.alone and self.operands == "bfloat16"

    def bits(self, factor: Any) -> Any:
        """Returns a factor as the loop's arrays hold it."""
        return self._read_as("uint16", factor) if self.as_bits else factor

    def _read_as(self, dtype: str, tensor: Any) -> Any:
        import tensorflow as tf

        return tf.bitcast(tensor, dtype)

    def _loop(self, loop: Callable[..., Any]) -> Callable[..., Any]:
        return _compiled(loop, self) if self.alone else functools.partial(loop, self)


def small(cell: Cell, time: int | None, state: Any, operands: str) -> bool:
    """Whether a training's loops are so small, all their sizes known, that XLA does them faster than TensorFlow.

    On two cores of an AMD EPYC a language model of 2x200 with 20 rows took 11 % less a step so, of 2x650 3 %, of two
    GRUs 12 and 4 %, of two RNNs of 650 1 %; with factors of 16 bits, of 650 units, 10, 5 and 3 %. With 64 rows of 320
    units it took 2 % more, of 650 units 9 %. Of an Intel Xeon with AMX, 2x200 took 6 % less, 2x650 as long as before,
    and 5 % less with factors of 16 bits. A training begins a second later, or two.

    Args:
        cell: RNN, GRU or LSTM.
        time: Steps.
        state: h. `(batch, units)`
        operands: Data type of the products' factors.
    """
    if keras.backend.backend() != "tensorflow" or has_gpu() or operands not in ("float32", "bfloat16"):
        return False
    batch, units = state.shape
    return None not in (time, batch) and batch * units in _SMALL_STATES


def compiles(cell: Cell, time: int | None, state: Any, operands: str) -> bool:
    """Whether XLA compiles a training's loops: the small ones of a graph. The arguments are those of `small`."""
    if not small(cell, time, state, operands):
        return False
    import tensorflow as tf

    return bool(tf.inside_function())


def _forwards(
    run: Run, projected: Parts, recurrent: Any, bias: Any, masks: tuple[Any, ...], drop: Any, initial: Parts
) -> tuple[Parts, tuple[Any, ...]]:
    """Runs a cell over time.

    Args:
        run: How.
        projected: The gates' input projections `(time, batch, units)`, or one for all.
        recurrent: Kernel. `(units, gates·units)`
        bias: Of the recurrent product, or None.
        masks: As `run.masks` gives them.
        drop: What h is multiplied by. `(batch, units)`
        initial: State.

    Returns:
        The last state; and as outputs of a scan those of each step: h, and, to be kept, the state before and the rest.
    """
    cell, units = run.cell, recurrent.shape[0]
    product = run.product(initial[0].dtype, units)
    kernels = product.of_steps(recurrent)  # cast once, not at each step
    biases = None if bias is None else ops.split(bias, cell.gates)

    def step(state: Any, now: Any) -> Any:
        own = product.apart(now[0])
        before = product.of_step(state[0] * drop if run.dropped else state[0], kernels, own[0])
        if biases is not None:
            before = tuple(part + more for part, more in zip(before, biases, strict=True))
        new, saved = cell.step(own, before, state)
        if run.masked:
            new = tuple(_chosen(now[1], a, b) for a, b in zip(new, state, strict=True))
        return new, (new[0], *state, *saved) if run.keep else (new[0],)

    count = 1 + (cell.states + cell.saved if run.keep else 0)
    return scan(
        step,
        tuple(initial),
        (projected, *masks),
        output_widths=(units,) * count,
        reverse=run.reverse,
        differentiated=not run.keep,
        compiled=run.alone,
    )


def _back(
    run: Run,
    d_outputs: Any,
    before: Parts,
    saved: Parts,
    masks: tuple[Any, ...],
    kernels: list[Any],
    drop: Any,
    d_final: Parts,
) -> tuple[Parts, tuple[Any, ...]]:
    """Runs through time the other way.

    Args:
        run: How it was run.
        d_outputs: Gradient of the outputs. `(time, batch, units)`
        before: The states before each step, as `_forwards` gave them.
        saved: What else it kept.
        masks: As `run.masks` gives them.
        kernels: The recurrent kernel as `Product.turned_by_gate` gives it.
        drop: What h was multiplied by. `(batch, units)`
        d_final: Gradient of the last state.

    Returns:
        The gradient of the first state; and as outputs of a scan those of each step's gates, before their functions,
        side by side, and where they are others those of the recurrent product.
    """
    cell, units = run.cell, d_final[0].shape[-1]
    return scan(
        _step_back(run, run.product(d_final[0].dtype, units), kernels, drop),
        tuple(d_final),
        (d_outputs, before, saved, *masks),
        output_widths=(cell.gates * units,) * (1 if cell.bias_rows == 1 else 2),
        output_dtype="uint16" if run.as_bits else run.operands,
        reverse=not run.reverse,
        differentiated=False,
        compiled=run.alone,
    )


def _step_back(run: Run, product: Product, kernels: list[Any], drop: Any) -> Callable[[Any, Any], Any]:
    """Returns the step of the loop backwards: from the gradient of a state to that of the one before, and the gates'.

    Args:
        run: How the cell is run.
        product: Its products.
        kernels: The recurrent kernel, turned, by gate.
        drop: What h was multiplied by.
    """

    def step_back(carry: Any, now: Any) -> Any:
        d_out, before, kept, *real = now
        d_state = (carry[0] + d_out, *carry[1:])
        d_gates, d_recurrent, d_before = run.cell.step_back(d_state, kept, before)
        apart = [d_gates] if d_recurrent is d_gates else [d_gates, d_recurrent]
        factors = [tuple(map(product.factor, parts)) for parts in apart]  # of products only
        joined = tuple(_joined(tuple(map(run.bits, parts))) for parts in factors)
        through = product.turned(factors[-1], joined[-1], kernels)
        through = through * drop if run.dropped else through
        d_before = (through if d_before[0] is None else through + d_before[0], *d_before[1:])
        if run.masked:
            joined = tuple(_chosen(real[0], part, ops.zeros_like(part)) for part in joined)
            d_before = tuple(
                _chosen(real[0], ops.zeros_like(skip) if d is None else d, skip)
                for d, skip in zip(d_before, d_state, strict=True)
            )
        return d_before, joined

    return step_back


@functools.cache
def _compiled(loop: Callable[..., Any], run: Run) -> Callable[..., Any]:
    def whole(*tensors: Any) -> Any:
        last, made = loop(run, *tensors)
        return last, tuple(output.stack() for output in made)

    return compiled(whole)


def _joined(parts: Parts) -> Any:
    return parts[0] if len(parts) == 1 else ops.concatenate(parts, -1)


def _chosen(real: Any, here: Any, elsewhere: Any) -> Any:
    """Returns `here` where a row's step is real; a padded step hands on what it got.

    TensorFlow's `Select` copies whole rows by a mask `(batch,)`; by one of `(batch, 1)` each number is asked for.
    """
    if len(real.shape) == 2:
        return ops.where(real, here, elsewhere)
    if keras.backend.backend() != "tensorflow":
        return ops.where(real[:, None], here, elsewhere)
    import tensorflow as tf

    return tf.raw_ops.Select(condition=real, x=here, y=elsewhere)
