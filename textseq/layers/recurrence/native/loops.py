"""The compiled loops as operations of the backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from keras import ops

from textseq.layers.native.operations import call, width
from textseq.layers.recurrence.cells import CELLS
from textseq.layers.recurrence.loops import Run

_NUMBERS = {name: number for number, name in enumerate(CELLS)}  # as `Cell` of recurrence.h
_KEPT = 4  # parts of a step that the way back needs: gates, as `saved` of recurrence.h


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
        (time, batch, _), units = projected.shape, recurrent.shape[0]
        steps, block = (time, batch), width()
        kept = (time, -(-units // block), batch, 0 if self._name == "rnn" else _KEPT * block)
        shapes = ((*steps, units), (*steps, units), (*steps, units if self._name == "lstm" else 0), kept)
        types = ["float32", self.run.operands, "float32", "float32"]
        tensors = (projected, bias, recurrent, *given)
        return call("textseq_recurrence", tensors, list(zip(shapes, types, strict=True)), **self._attributes)

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
        (time, batch, units), gates, operands = d_outputs.shape, recurrent.shape[1], self.run.operands
        rows = self.run.cell.bias_rows
        shapes = [(time, batch, gates), (time, batch, gates if rows == 2 else 0), (rows, gates), (batch, units)]
        shapes.append((batch, units if self._name == "lstm" else 0))
        types = [operands, operands, "float32", "float32", "float32"]
        returned = list(zip(shapes, types, strict=True))
        d_gates, through, d_bias, *d_first = call("textseq_recurrence_back", tensors, returned, **self._attributes)
        through = through if self.run.cell.bias_rows == 2 else d_gates
        return d_gates, through, d_bias, tuple(d_first[: self.run.cell.states])

    def given(self, mask: Any, drop: Any, initial: tuple[Any, ...]) -> tuple[Any, ...]:
        """Returns what both ways read: the mask `(time, batch)`, what h is multiplied by, and the first state."""
        return ops.cast(mask[..., 0], "bool"), drop, *self._state(initial)

    def _state(self, state: tuple[Any, ...]) -> tuple[Any, Any]:
        h, c = state if len(state) == 2 else (state[0], ops.zeros((1, 1)))
        return h, c

    @property
    def _name(self) -> str:
        return next(name for name, cell in CELLS.items() if cell is self.run.cell)

    @property
    def _attributes(self) -> dict[str, Any]:
        run = self.run
        how = {"reverse": run.reverse, "masked": run.masked, "dropped": run.dropped}
        return {"operands": run.operands, "cell": _NUMBERS[self._name], **how}
