"""Products of large matrices in float32 by a processor's tiles, twice as fast as by its vectors and as exact."""

from __future__ import annotations

from typing import Any

from keras import ops

from textseq.layers.native import operations


def refusal(operands: str = "float32") -> str | None:
    """Returns why products are the backend's; None where they are compiled for this processor.

    Args:
        operands: Data type of the factors.
    """
    if operands != "float32":
        return f"it takes float32, not {operands} (training.precision)"
    reason = operations.refusal(operands)
    if reason is None and not operations.has_tiles():
        return "this processor multiplies no tiles (AMX), without which they are no faster"
    return reason


def product(a: Any, b: Any, *, first_turned: bool = False, second_turned: bool = False) -> Any:
    """Returns a·b, or aᵀ·b, or a·bᵀ, of two axes each; without a gradient."""
    shape = (a.shape[1 if first_turned else 0], b.shape[0 if second_turned else 1])
    turned = {"first_turned": first_turned, "second_turned": second_turned}
    (made,) = operations.call("textseq_product", (a, b), [(shape, "float32")], "float32", **turned)
    return made


@ops.custom_gradient
def dense(rows: Any, kernel: Any) -> Any:
    """Returns rows·kernel, with both gradients.

    Args:
        rows: `(rows, features)`
        kernel: `(features, units)`
    """

    def backward(*args: Any, upstream: Any = None) -> Any:
        above = args[0] if upstream is None else upstream
        return product(above, kernel, second_turned=True), product(rows, above, first_turned=True)

    return product(rows, kernel), backward
