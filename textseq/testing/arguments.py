"""Whether a constructor can be the schema of a section of configs."""

from __future__ import annotations

import inspect
import re

from textseq.signatures import Argument, documented_arguments
from textseq.testing.comparing import require

_PLAIN = {"bool", "int", "float", "str", "None", "Literal", "list", "tuple", "dict", "Sequence", "Mapping"}


def plain_and_documented(cls: type, arguments: tuple[Argument, ...]) -> None:
    """Requires every argument of a constructor to have a default of a plain type and a line in the docstring."""
    untyped = [argument.name for argument in arguments if not argument.annotation]
    require(not untyped, f"{', '.join(untyped)} has no type, so configs cannot be checked: write it as name: type")
    for argument in arguments:
        require(argument.name == "units" or not argument.required, f"{argument.name} has no default")
        words = set(re.findall(r"[A-Za-z_]\w*", re.sub(r"'[^']*'|\"[^\"]*\"", "", argument.annotation)))
        plain = bool(words) and words <= _PLAIN
        require(plain, f"{argument.name} is of no plain type. Received: {argument.annotation!r}")
    own = set(inspect.signature(cls.__init__).parameters)  # type: ignore[misc]
    documented = {argument.name for argument in arguments if argument.doc}
    missing = sorted({argument.name for argument in arguments} & own - documented)
    require(not missing, f"its docstring says nothing of {', '.join(missing)} (under Args:)")
    said = documented_arguments((inspect.getdoc(cls) or "").partition("\nAttributes:")[0])
    names = {argument.name for argument in arguments} | own
    stale = sorted(name for name in said if name not in names)
    require(not stale, f"its docstring tells of {', '.join(stale)}, which the constructor does not take")
