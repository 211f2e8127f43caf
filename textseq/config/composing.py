"""From plain settings to a checked `RunConfig`: unknown keys, wrong types, unknown components, wrong arguments."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any

from textseq.config.annotations import Names, parse
from textseq.config.kinds import AnyOf, Bounds, Choice, Kind, Null, Number
from textseq.config.problems import Path, Problems
from textseq.config.reading import read
from textseq.config.schema import Component, DataConfig, EmbeddingConfig, RunConfig, TrainingConfig, section_fields
from textseq.config.sizes import Size
from textseq.errors import RegistryError, nearest
from textseq.registry import Argument, Registry, encoders, registries

_FRACTIONS = Bounds(least=0.0, below=1.0)
_POSITIVE = Bounds(least=1)
# Arguments that mean the same in every component, by the end of their names.
_ARGUMENT_BOUNDS = {
    "dropout": _FRACTIONS,
    "label_smoothing": _FRACTIONS,
    "sampling": Bounds(least=0.0, most=1.0),
    "character_coverage": Bounds(above=0.0, most=1.0),
    "max_bytes": _POSITIVE,
    "threshold": Bounds(above=0.0, below=1.0),
    **dict.fromkeys(("units", "depth", "heads", "window", "context", "max_length", "min_count"), _POSITIVE),
    "ngrams": Bounds(least=0, most=16),
    "ngram_rate": Bounds(above=0.0),
    "vocabulary_size": Bounds(least=5),  # four ids are special
}
_CLOSED = {
    "optimizer": {
        "adam": {"beta_1": "float", "beta_2": "float", "epsilon": "float", "weight_decay": "float | None"},
        "adamw": {"beta_1": "float", "beta_2": "float", "epsilon": "float", "weight_decay": "float"},
        "sgd": {"momentum": "float", "nesterov": "bool", "weight_decay": "float | None"},
    },
    "schedule": {key: {"warmup": "float", "final": "float"} for key in ("constant", "linear", "cosine")},
}
_CHOICES = {
    "precision": Choice(("float32", "mixed_bfloat16")),
    "jit": Choice(("auto", True, False)),
    "native_loops": Choice(("auto", True, False)),
    "keep": Choice(("best", "last")),
    "batch_size": AnyOf((Number(True, _POSITIVE), Choice(("auto",)))),
    "memory_budget": AnyOf((Size(), Null())),
}
_SPLITS = ("train", "validation", "test")


def load_config(path: str | FilePath, overrides: Sequence[str] = ()) -> RunConfig:
    """Reads and checks a config file.

    Args:
        path: The file.
        overrides: Settings from the command line, as `a.b=value`.

    Raises:
        ConfigError: Lists every problem with its file and line.
    """
    settings, problems = read(FilePath(path), overrides)
    config = _Checker(problems).run_config(settings)
    problems.raise_any()
    return config


def check_component(kind: str, settings: Any, source: str) -> Component:
    """Checks one component that stands outside a config, as on the command line.

    Args:
        kind: "encoder", "tokenizer" or "task".
        settings: A name, or a mapping with a name and arguments.
        source: Where the user wrote it.

    Raises:
        ConfigError: Lists every problem.
    """
    problems = Problems(source)
    found = _Checker(problems)._component(registries[kind], settings, (kind,))
    problems.raise_any()
    if found is None:
        raise TypeError(f"{source}: no component and no problem")
    return found


class _Checker:
    """Walks through the settings and notes what is wrong, without stopping at the first."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def run_config(self, settings: Mapping[str, Any]) -> RunConfig:
        sections = {"data": DataConfig, "embedding": EmbeddingConfig, "training": TrainingConfig}
        self._unknown_keys(settings, [name for name, _ in section_fields(RunConfig)], ())
        values: dict[str, Any] = {}
        for name in ("name", "data", "encoder", "task"):
            if name not in settings:
                self.problems.add((name,), "is missing", way_out=f"Add a line `{name}: …`")
        for name, value in settings.items():
            if name in sections:
                values[name] = self._section(sections[name], value, (name,))
            elif name in registries:
                values[name] = self._component(registries[name], value, (name,))
            elif name in ("name", "seed"):
                values[name] = self._value(RunConfig, name, value, (name,))
        required = {name: values.get(name) for name in ("name", "data", "encoder", "task")}
        complete: Any = {**required, **values}
        return RunConfig(**complete)

    def _section(self, section: type, settings: Any, path: Path) -> Any:
        if not isinstance(settings, Mapping):
            self.problems.add(path, "must be a mapping of settings", received=settings)
            return None
        known = [name for name, _ in section_fields(section)]
        self._unknown_keys(settings, known, path)
        values = {
            name: self._value(section, name, value, (*path, name)) for name, value in settings.items() if name in known
        }
        if section is DataConfig:
            if "path" not in values:
                self.problems.add((*path, "path"), "is missing", way_out="Name a dataset: data: {path: …}")
                return None
            self._splits(values, path)
        return section(**values)

    def _value(self, section: type, name: str, value: Any, path: Path) -> Any:
        if name in _CLOSED:
            return self._closed(name, value, path)
        if name == "callbacks":
            return self._callbacks(value, path)
        item = next(found for known, found in section_fields(section) if known == name)
        kind = _CHOICES.get(name) or parse(str(item.type), Names(item.metadata.get("bounds", Bounds())))
        return kind.check(value, path, self.problems)

    def _splits(self, values: dict[str, Any], path: Path) -> None:
        splits = values.get("splits")
        if isinstance(splits, dict):
            for name in splits:
                Choice(_SPLITS).check(name, (*path, "splits", name), self.problems)

    def _component(self, registry: Registry, value: Any, path: Path) -> Component | None:
        found = self._named(value, path)
        if found is None:
            return None
        try:
            arguments = registry.arguments(found.name)
        except RegistryError as error:
            self.problems.add_at(self.problems._place((*path, "name")), f"{'.'.join(map(str, path))}.name: {error}")
            return None
        return Component(found.name, self._arguments(registry, found, arguments, path))

    def _arguments(self, registry: Registry, component: Component, known: list[Argument], path: Path) -> dict[str, Any]:
        names = {argument.name: argument for argument in known}
        what = f"{registry.kind} '{component.name}'"
        self._unknown_keys(component.arguments, list(names), path, of=what)
        for argument in known:
            if argument.required and argument.name not in component.arguments:
                self.problems.add((*path, argument.name), f"is missing: {what} needs it")
        return {
            name: self._argument(names[name], value, (*path, name))
            for name, value in component.arguments.items()
            if name in names
        }

    def _argument(self, argument: Argument, value: Any, path: Path) -> Any:
        bounds = next((found for end, found in _ARGUMENT_BOUNDS.items() if argument.name.endswith(end)), Bounds())
        nested = _Nested(self)
        return parse(argument.annotation, Names(bounds, {"EncoderSpec": nested})).check(value, path, self.problems)

    def _closed(self, setting: str, value: Any, path: Path) -> Component | None:
        found = self._named(value, path)
        if found is None:
            return None
        known = _CLOSED[setting]
        if found.name not in known:
            Choice(tuple(known)).check(
                found.name, (*path, "name") if isinstance(value, Mapping) else path, self.problems
            )
            return None
        annotations = known[found.name]
        self._unknown_keys(found.arguments, list(annotations), path, of=f"{setting} '{found.name}'")
        checked = {
            name: parse(annotations[name], Names(Bounds(least=0.0))).check(item, (*path, name), self.problems)
            for name, item in found.arguments.items()
            if name in annotations
        }
        return Component(found.name, checked)

    def _callbacks(self, value: Any, path: Path) -> tuple[Component, ...]:
        if not isinstance(value, list):
            self.problems.add(path, "must be a list", received=value)
            return ()
        found = [self._named(item, (*path, number)) for number, item in enumerate(value)]
        for number, component in enumerate(found):
            if component is not None and component.name.count(":") != 1:
                way_out = "Write package.module:Class"
                self.problems.add((*path, number), "must name a class", received=component.name, way_out=way_out)
        return tuple(component for component in found if component is not None)

    def _named(self, value: Any, path: Path) -> Component | None:
        """Reads `name` or `{name: …, argument: …}`."""
        if isinstance(value, str):
            return Component(value)
        if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
            wrong = "must be a name, or a mapping with a name" if not isinstance(value, Mapping) else "has no name"
            self.problems.add(path, wrong, received=value, way_out="Write {name: …}")
            return None
        return Component(value["name"], {name: item for name, item in value.items() if name != "name"})

    def _unknown_keys(self, settings: Mapping[str, Any], known: list[str], path: Path, of: str = "") -> None:
        for name in settings:
            if name not in known:
                near = nearest(str(name), known)
                hint = f"Did you mean '{near}'? " if near else ""
                wrong = f"is no argument of {of}" if of else "is no setting"
                self.problems.add((*path, name), wrong, way_out=f"{hint}There are: {', '.join(sorted(known))}")


@dataclasses.dataclass(frozen=True)
class _Nested(Kind):
    """An encoder inside an encoder, checked in the same way."""

    checker: _Checker

    def check(self, value: Any, path: Path, problems: Problems) -> Any:
        """Returns the component as the constructor takes it: a mapping with its name."""
        component = self.checker._component(encoders, value, path)
        return None if component is None else component.to_dict()
