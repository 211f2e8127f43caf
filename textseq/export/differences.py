"""How a difference between an export and its run is told."""

from __future__ import annotations

from typing import Any

from textseq.errors import RunFailedError, problem, shown


def refuse(text: Any, what: str, *, trained: Any, exported: Any) -> RunFailedError:
    """Returns the error for the first text at which an export and its run differ.

    Args:
        text: As it was read.
        what: What differs.
        trained: What the run gives.
        exported: What the export gives.
    """
    wrong = f"{what} of the exported model differ from the trained one's at the text {shown(text)}"
    way_out = f"The trained model gives {shown(trained)}, the exported one {shown(exported)}. Nothing was published"
    return RunFailedError(problem("export", wrong, way_out=way_out))
