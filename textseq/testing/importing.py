"""Whether a plugin loads: it imports, under names that are free, and without what takes seconds."""

from __future__ import annotations

import ast
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from textseq.errors import NameTakenError, PluginImportError
from textseq.testing.findings import Finding

Loaded = TypeVar("Loaded")

IMPORTS, FREE, LIGHT = "it imports and registers something", "its name is free", "its import is light"
_SECONDS = 2.0
# What only some machines have, or what takes seconds; keras and numpy are there already.
_HEAVY = {"datasets", "jax", "matplotlib", "pandas", "scipy", "sentencepiece", "sklearn", "tensorflow", "torch"}
_HEAVY |= {"tensorflow_text", "tf_keras", "transformers"}


def load_and_tell(
    load: Callable[[], Loaded], files_of: Callable[[Loaded], list[str]], *, seconds: float = _SECONDS
) -> tuple[list[Finding], Loaded | None]:
    """Imports a plugin and says how that went.

    Args:
        load: Imports it.
        files_of: Returns its source files.
        seconds: Processor time that its import may take beside what textseq imports itself.

    Returns:
        What was found, and what `load` returned; None where it failed.
    """
    began = time.process_time()
    try:
        loaded = load()
    except NameTakenError as error:
        return [Finding(FREE, str(error))], None
    except PluginImportError as error:
        return [Finding(IMPORTS, str(error))], None
    took = time.process_time() - began
    heavy = [sentence for file in files_of(loaded) for sentence in heavy_imports(Path(file))]
    if took > seconds:
        heavy.append(f"it takes {took:.1f} s of computing: what is slow belongs into build or call")
    return [Finding(IMPORTS), Finding(FREE), Finding(LIGHT, "; ".join(heavy) or None)], loaded


def heavy_imports(file: Path) -> list[str]:
    """Returns a sentence for each import at the top of a file that takes seconds or that some machines lack."""
    found = []
    for line, module in _imported(ast.parse(file.read_bytes()).body):
        if module.partition(".")[0] in _HEAVY:
            found.append(f"{file.name}:{line} imports {module} at the top: import it where it is used")
    return found


def _imported(statements: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    """Yields the modules that statements import when they run; functions do not, nor what type checkers read."""
    for statement in statements:
        if isinstance(statement, ast.Import):
            yield from ((statement.lineno, alias.name) for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            yield statement.lineno, statement.module or ""
        elif isinstance(statement, ast.If):
            checking = "TYPE_CHECKING" in ast.unparse(statement.test)
            yield from _imported([*([] if checking else statement.body), *statement.orelse])
        elif isinstance(statement, ast.Try | ast.With | ast.ClassDef):
            yield from _imported(statement.body)
