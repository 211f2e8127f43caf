"""A component examined from its import on: what `textseq plugins check` does."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import keras

from textseq.errors import UsageError, problem
from textseq.plugins import load_plugin
from textseq.registry import Origin, encoders, registries, registry_of
from textseq.testing import cost
from textseq.testing.components import task_findings, tokenizer_findings
from textseq.testing.contract import encoder_findings
from textseq.testing.findings import Finding
from textseq.testing.importing import load_and_tell

_CHECKED_UNITS = 16


class Examination:
    """One component under examination.

    Args:
        name: What configs call it; None where the plugins bring just one.
        plugins: Files or folders that the user named.
        units: Width for measuring an encoder's cost.

    Raises:
        UsageError: The name is unknown, or none was given.
    """

    def __init__(self, name: str | None, plugins: Sequence[str], units: int) -> None:
        if name is None and not plugins:
            way_out = "Give a NAME that `textseq plugins list` shows, or --plugin FILE"
            raise UsageError(problem("textseq plugins check", "nothing is named", way_out=way_out))
        self.name, self.plugins, self.units = name, plugins, units
        self._origin: Origin | None = None
        self._cls: Any = None

    @property
    def kind(self) -> str | None:
        """encoder, tokenizer or task; None where it did not load."""
        return self._origin.kind if self._origin else None

    def about(self) -> dict[str, Any]:
        """Returns its name, kind and origin."""
        names = ("kind", "package", "version", "module", "file", "sha256")
        return {"name": self.name, **{name: getattr(self._origin, name, None) for name in names}}

    def findings(self, *, quick: bool) -> Iterator[Finding]:
        """Yields what each check finds, as it ends.

        Args:
            quick: Whether an encoder is not exported.
        """
        loading = self._load()
        yield from loading
        if self._origin is None or any(finding.fault for finding in loading):
            return
        fine = True
        for finding in _checks(self._origin.kind, self._cls):
            fine = fine and finding.fault is None
            yield finding
        if fine and not quick and self.kind == "encoder":
            answer = cost.exporting(self._origin.name, _CHECKED_UNITS, self.plugins)
            yield Finding("an export answers as it does", None if answer["fine"] else answer["why"])

    def cost(self) -> dict[str, Any]:
        """Returns what an encoder costs, beside others."""
        name, backend = str(self.name), keras.backend.backend()
        names = dict.fromkeys((name, *(other for other in cost.BESIDE if other in encoders.names())))
        found = {one: cost.training_cost(one, self.units, self.plugins, backend) for one in names}
        xla = found[name].pop("xla", {"fine": False, "why": found[name].get("error")})
        return {
            "units": self.units,
            "batch": cost.BATCH,
            "tokens": cost.TOKENS,
            "backend": backend,
            "encoders": found,
            "xla": xla,
            "streams": found[name].get("streams", False),
        }

    def _load(self) -> list[Finding]:
        origins: list[Origin] = []
        for plugin in self.plugins:
            found, loaded = load_and_tell(partial(load_plugin, plugin), _files)
            if any(finding.fault for finding in found):
                return found
            origins += loaded or ()
        if self.name is None:
            self.name = _only(origins)
        own = next((origin for origin in origins if origin.name == self.name), None)
        registry = registries[own.kind] if own else registry_of(self.name)  # another kind may have the name too
        if origins:
            self._origin = own or registry.origin(self.name)
            self._cls = registry.get(self.name)
            return found
        found, self._cls = load_and_tell(partial(registry.get, self.name), _file)
        if self._cls is not None:
            self._origin = registry.origin(self.name)
        return found


def _checks(kind: str, cls: Any) -> Iterator[Finding]:
    if kind == "tokenizer":
        return tokenizer_findings(cls, {})
    if kind == "task":
        return task_findings(cls, {})
    return encoder_findings(cls, _CHECKED_UNITS, {})


def _only(origins: Sequence[Origin]) -> str:
    names = sorted({origin.name for origin in origins})
    if len(names) > 1:
        wrong = "brings several components, so one must be named"
        raise UsageError(problem("--plugin", wrong, received=names, way_out="Give one as NAME"))
    return names[0]


def _files(origins: Sequence[Origin] | None) -> list[str]:
    return sorted({origin.file for origin in origins or () if origin.file})


def _file(cls: Any) -> list[str]:
    file = inspect.getsourcefile(cls)
    return [file] if file else []
