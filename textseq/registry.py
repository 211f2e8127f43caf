"""Encoders, tokenizers and tasks by name: found through entry points or plugin files, imported when used."""

from __future__ import annotations

import functools
import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from textseq.errors import NameTakenError, PluginImportError, RegistryError, problem, unknown
from textseq.signatures import (
    Argument,
    Signature,
    UnreadableError,
    find_source,
    inspect_class,
    read_class,
    source_fault,
)

__all__ = ["Argument", "Origin", "Registry", "encoders", "registries", "registry_of", "tasks", "tokenizers"]

Class = TypeVar("Class", bound=type)


@dataclass(frozen=True)
class Origin:
    """Where a component comes from.

    Attributes:
        name: What configs call it.
        kind: "encoder", "tokenizer" or "task".
        package: The distribution that brings it; None for a plugin file.
        version: Of the package.
        module: The Python module that defines it.
        qualified: The class's name in the module.
        file: Its source file, where there is one.
        sha256: Of the source file.
        cause: Why it does not load; None when it loads, or was not tried.
    """

    name: str
    kind: str
    package: str | None
    version: str | None
    module: str
    qualified: str
    file: str | None
    sha256: str | None
    cause: str | None = None

    def __str__(self) -> str:
        """Names the class and where it stands, for error sentences."""
        place = f"package {self.package} {self.version}" if self.package else self.file
        return f"{self.module}:{self.qualified}" + (f" ({place})" if place else "")


@dataclass(frozen=True)
class _Entry:
    """One entry point and the distribution that declares it."""

    point: EntryPoint
    package: str
    version: str


class Registry:
    """The components of one kind.

    Args:
        kind: What error sentences call one.
        group: The entry-point group that packages declare theirs in.
    """

    def __init__(self, kind: str, group: str) -> None:
        self.kind = kind
        self.group = group
        self._classes: dict[str, type] = {}
        self._causes: dict[str, str] = {}

    def register(self, name: str) -> Callable[[Class], Class]:
        """Returns a decorator that makes a class known under `name`.

        Raises:
            RegistryError: Another class has the name, or the name is no plain word.
        """
        if not name.isidentifier():
            raise PluginImportError(problem(f"{self.kind} name", "must be letters, digits and '_'", received=name))

        def decorate(cls: Class) -> Class:
            self._refuse_duplicate(name, cls)
            self._classes[name] = cls
            return cls

        return decorate

    def names(self) -> list[str]:
        """Returns every known name, sorted, without importing anything."""
        return sorted({*self._classes, *_entries(self.group)})

    def get(self, name: str) -> Any:
        """Returns the class, imported now if it was not yet.

        Raises:
            RegistryError: The name is unknown, defined twice, or its module does not import.
        """
        if name not in self._classes:
            self._classes[name] = self._load(self._entry(name))
        return self._classes[name]

    def origin(self, name: str) -> Origin:
        """Returns where a component comes from, without importing it.

        Raises:
            RegistryError: The name is unknown or defined twice.
        """
        if name in self._classes:
            cls = self._classes[name]
            module, qualified = cls.__module__, cls.__qualname__
            entry = next((entry for entry in _entries(self.group).get(name, ()) if _module(entry) == module), None)
        else:
            entry = self._entry(name)
            module, _, qualified = entry.point.value.partition(":")
        file = _module_file(module)
        return Origin(
            name=name,
            kind=self.kind,
            package=entry.package if entry else None,
            version=entry.version if entry else None,
            module=module,
            qualified=qualified,
            file=str(file) if file else None,
            sha256=hashlib.sha256(file.read_bytes()).hexdigest() if file else None,
            cause=self._causes.get(name) or (None if file else f"there is no module {module}"),
        )

    def registered_by(self, module: str) -> list[str]:
        """Returns the names that an imported module, or one inside it, registered."""
        return sorted(name for name, cls in self._classes.items() if f"{cls.__module__}.".startswith(f"{module}."))

    def summary(self, name: str) -> str:
        """Returns the first line of the class's docstring; "" where only an import would tell.

        Raises:
            RegistryError: The name is unknown, or its source is no Python.
        """
        signature = self._read(name)
        return signature.summary if signature else ""

    def methods(self, name: str) -> frozenset[str]:
        """Returns the methods that the class adds to its kind's base; none where only an import would tell.

        Raises:
            RegistryError: The name is unknown, or its source is no Python.
        """
        signature = self._read(name)
        return signature.methods if signature else frozenset()

    def arguments(self, name: str) -> list[Argument]:
        """Returns the constructor's arguments, read from the source; imports only where the source does not tell.

        Raises:
            RegistryError: The name is unknown, or its module is missing or does not import.
        """
        return list(self._signature(name).arguments)

    def _signature(self, name: str) -> Signature:
        return self._read(name) or inspect_class(self.get(name))

    def _read(self, name: str) -> Signature | None:
        """Returns what the source tells, or the class where it is imported already; None where neither does."""
        origin = self.origin(name)
        try:
            return read_class(origin.module, origin.qualified)
        except UnreadableError as error:
            if name in self._classes:
                return inspect_class(self._classes[name])
            if fault := source_fault(origin.module):
                raise PluginImportError(f"{self.kind} '{name}': {fault}.") from error
            return None

    def _entry(self, name: str) -> _Entry:
        found = _entries(self.group).get(name)
        if not found:
            raise RegistryError(unknown(self.kind, name, self.names()))
        if len(found) > 1:
            origins = " and ".join(f"{entry.point.value} (package {entry.package} {entry.version})" for entry in found)
            raise NameTakenError(
                f"{self.kind} '{name}': two packages define it, {origins}. Uninstall one: pip uninstall PACKAGE."
            )
        return found[0]

    def _load(self, entry: _Entry) -> type:
        name = entry.point.name
        try:
            cls = entry.point.load()
        except RegistryError:
            raise
        except (Exception, SystemExit) as error:
            cause = f"{type(error).__name__}: {error}"
            self._causes[name] = cause
            raise PluginImportError(
                f"{self.kind} '{name}': package {entry.package} {entry.version} did not load. {cause.rstrip('.')}. "
                "Repair or reinstall that package, or uninstall it."
            ) from error
        if not isinstance(cls, type):
            raise PluginImportError(problem(f"{self.kind} '{name}'", "its entry point is no class", received=cls))
        return cls

    def _refuse_duplicate(self, name: str, cls: type) -> None:
        mine = (cls.__module__, cls.__qualname__)
        if name in self._classes:
            known = self._classes[name]
            theirs = {(known.__module__, known.__qualname__)}
        else:
            theirs = {(_module(entry), entry.point.attr) for entry in _entries(self.group).get(name, ())}
        if theirs and mine not in theirs:
            here = ":".join(mine) + (f" ({file})" if (file := _module_file(cls.__module__)) else "")
            raise NameTakenError(
                f"{self.kind} '{name}': is defined twice, by {self.origin(name)} and by {here}. Rename one of them."
            )


def _module(entry: _Entry) -> str:
    return entry.point.value.partition(":")[0]


def _module_file(module: str) -> Path | None:
    """Returns a module's source file, whether or not it is imported."""
    if module in sys.modules:
        file = getattr(sys.modules[module], "__file__", None)
        return Path(file) if file and Path(file).is_file() else None
    return find_source(module)


def _entries(group: str) -> dict[str, tuple[_Entry, ...]]:
    """Returns the entry points of a group by name; the same one found twice counts once."""
    return _read_entries(group, tuple(sys.path))


@functools.lru_cache(maxsize=16)
def _read_entries(group: str, path: tuple[str, ...]) -> dict[str, tuple[_Entry, ...]]:
    """Reads the entry points of a group once; `path` makes the cache follow `sys.path`."""
    found: dict[str, dict[str, _Entry]] = {}
    for point in entry_points(group=group):
        package, version = (point.dist.name, point.dist.version) if point.dist else ("unknown", "unknown")
        found.setdefault(point.name, {}).setdefault(point.value, _Entry(point, package, version))
    return {name: tuple(entries.values()) for name, entries in found.items()}


encoders = Registry("encoder", "textseq.encoders")
tokenizers = Registry("tokenizer", "textseq.tokenizers")
tasks = Registry("task", "textseq.tasks")
registries = {registry.kind: registry for registry in (encoders, tokenizers, tasks)}


def registry_of(name: str) -> Registry:
    """Returns the registry that has a component of a name; where several kinds have one, the first.

    Raises:
        RegistryError: None has.
    """
    for registry in registries.values():
        if name in registry.names():
            return registry
    raise RegistryError(unknown("component", name, [one for each in registries.values() for one in each.names()]))
