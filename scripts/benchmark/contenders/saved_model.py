"""One call of a SavedModel: token ids to probabilities, in the session that servers load it into."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmark.batches import rows_of_one_length
from benchmark.specification import Model
from textseq.serving.servable import DEFAULT_SIGNATURE, Servable


def session_step(save: Callable[[Path], None], model: Model) -> Callable[[], None]:
    """Returns a function that asks a SavedModel once.

    Args:
        save: Writes it into a folder; its one input takes token ids.
        model: Sizes of what it is asked.
    """
    with tempfile.TemporaryDirectory() as name:
        save(Path(name))
        servable = Servable(Path(name))
    signature = servable.signatures[DEFAULT_SIGNATURE]
    feeds = [tensor.name for tensor in signature.inputs.values()]
    fetches = [tensor.name for tensor in signature.outputs.values()]
    token_ids = rows_of_one_length(model)

    def step() -> None:
        servable.run(feeds, fetches, [token_ids])

    return step
