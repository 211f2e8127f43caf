"""Tries a check and turns what happened into a finding."""

from __future__ import annotations

import inspect
import re
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from textseq.errors import UsageError
from textseq.testing.comparing import Fault
from textseq.testing.findings import Finding


def tried(
    check: Callable[..., None],
    *arguments: Any,
    causal: bool | None = None,
    around: AbstractContextManager[Any] | None = None,
) -> Finding:
    """Runs one check.

    Args:
        check: Its name is what has to hold; raises `Fault` with what it saw.
        *arguments: What it takes.
        causal: How the encoder was made; for the finding.
        around: Entered while it runs.
    """
    try:
        with around or nullcontext():
            check(*arguments)
    except Fault as fault:
        return Finding(title(check), str(fault), causal)
    except UsageError as error:
        return Finding(title(check), f"refused: {error}", causal)
    except Exception as error:  # the component is another's, and may raise anything
        return Finding(title(check), f"{type(error).__name__}: {first_line(error)}{_place(error, arguments)}", causal)
    return Finding(title(check), None, causal)


def _place(error: Exception, arguments: tuple[Any, ...]) -> str:
    """Returns the last line of the component's own file that an error came through, in brackets; "" for none."""
    file = inspect.getsourcefile(arguments[0].cls) if arguments else None
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f" ({Path(file).name}:{lines[-1]})" if file and lines else ""


def title(check: Callable[..., Any]) -> str:
    """Returns what a check says has to hold."""
    return check.__name__.replace("_", " ")


def first_line(error: Exception) -> str:
    """Returns what an error says first; Keras and TensorFlow put the name of the call before it, and colours."""
    text = re.sub(r"\x1b\[\d*m|\{\{function_node [^}]*\}\} ?", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["no message"]
    if lines[0].startswith("Exception encountered when calling") and len(lines) > 1:
        return lines[1]
    return lines[0]
