"""What a run's encoder does inside while it reads a text: gates and cells token by token, attention between tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from textseq.errors import RunDirectoryError, problem
from textseq.evaluation.loading import Run
from textseq.evaluation.one_text import OneText, Text, read_text
from textseq.layers.observing import Observation, observations


@dataclass(frozen=True)
class Inner:
    """What one layer did.

    Attributes:
        layer: Which, counted from the one that reads the embeddings.
        kind: "steps" or "attention".
        arrays: By name: `(time, units)` for steps, `(heads, queries, keys)` for attention.
    """

    layer: str
    kind: str
    arrays: dict[str, np.ndarray]

    def by_token(self) -> dict[str, np.ndarray]:
        """Returns, of steps, the mean over units for each token: of the size, where entries have a sign. `(time,)`."""
        return {name: np.abs(array).mean(-1) for name, array in self.arrays.items()}

    def to_dict(self) -> dict[str, Any]:
        """Returns plain data, rounded to four digits."""
        plain = {"layer": self.layer, "kind": self.kind, "arrays": _rounded(self.arrays)}
        return {**plain, "mean": _rounded(self.by_token())} if self.kind == "steps" else plain


def _rounded(arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {name: np.round(array.astype(np.float64), 4).tolist() for name, array in arrays.items()}


def look_inside(run: Run, text: Text) -> tuple[OneText, list[Inner]]:
    """Runs a text through the encoder, with an eye on it.

    Args:
        run: Any run whose encoder's layers show what they do (`textseq.layers.observing`).
        text: A string, or a pair where the run was trained on pairs.

    Raises:
        RunDirectoryError: The encoder shows nothing.
    """
    read = read_text(run, text)
    with observations() as found:
        run.model.encode(read.without_padding(), training=False)
    if not found:
        wrong = f"the encoder '{run.config.encoder.name}' shows nothing of what it does inside"
        way_out = "Have its layers call textseq.layers.observing.observe"
        raise RunDirectoryError(problem(str(run.directory.path), wrong, way_out=way_out))
    return read, list(_named(found))


def _named(found: list[Observation]) -> Iterator[Inner]:
    """Numbers the layers. One that says more of itself than its path goes with the one before it: another direction."""
    number, alone = 0, False
    for one in found:
        more = one.layer.partition(", ")[2]
        if not (more and alone):
            number += 1
        alone = not more
        arrays = {name: np.asarray(ops.convert_to_numpy(tensor))[0] for name, tensor in one.tensors.items()}
        yield Inner(f"layer {number}{', ' + more if more else ''}", one.kind, arrays)
