"""What is made of a run when its training is over: a language model's samples, and the report; neither can fail it."""

from __future__ import annotations

import importlib.util
import os
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textseq.rundir import RunDirectory
    from textseq.training.trainer import Ready


def leave_report(run: RunDirectory, ready: Ready, say: Callable[[str], None]) -> None:
    """Writes `report.html`, or says in one line why there is none.

    Args:
        run: Holds everything else already.
        ready: The model and the data, still in memory.
        say: Takes lines for the user.
    """
    try:
        _sample(run, ready)
    except Exception as error:  # samples adorn a run that is whole without them
        say(f"No samples: {_reason(error)}")
    missing = [name for name in ("matplotlib", "jinja2") if importlib.util.find_spec(name) is None]
    if missing:
        say(
            f"No report, for it needs {' and '.join(missing)}: pip install 'textseq[report]', textseq report {run.path}"
        )
        return
    from textseq.reporting.report import write_report

    try:
        write_report(run)
    except Exception as error:  # the run is whole without it
        say(f"No report: {_reason(error)}. Try again: textseq report {run.path}")


def _sample(run: RunDirectory, ready: Ready) -> None:
    """Writes samples where the model can go on from a prompt."""
    if not hasattr(ready.model, "advance"):
        return
    from textseq.evaluation.loading import Run
    from textseq.evaluation.samples import write_samples

    splits, data = ready.prepared.splits, ready.config.data
    model: Any = ready.model
    texts = (splits.get("test") or splits["validation"]).dataset
    trained = Run.trained(run, ready.task, ready.prepared, model)
    write_samples(trained, (row[data.text] for row in texts))


def _reason(error: Exception) -> str:
    if os.environ.get("TEXTSEQ_DEBUG") == "1":
        traceback.print_exc()
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
