"""Which encoders a probe looks at: those asked for, each in the forms that its constructor's signature tells of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from textseq.config.annotations import parse
from textseq.config.composing import check_component
from textseq.config.kinds import Choice
from textseq.errors import UsageError, problem
from textseq.registry import encoders

# Arguments that decide what an encoder remembers before it has learned anything; where a signature lists the values
# of one, each is probed.
_BEGINNINGS = ("forget_bias",)
# Arguments that a probe sets to the length of its sequences, for they say how long the memory should be at first.
_LENGTHS = ("chrono_length",)


@dataclass(frozen=True)
class Variant:
    """An encoder with some of its arguments set.

    Attributes:
        name: As it is registered.
        arguments: Of the constructor; the rest have their defaults.
        label: What tables and charts call it.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    def build(self) -> Any:
        """Makes the encoder, with fresh weights once it is built."""
        return encoders.get(self.name)(**self.arguments)


def variants(asked: Sequence[str], *, units: int, length: int) -> list[Variant]:
    """Returns what to probe.

    Args:
        asked: Names, or mappings as a config has them: `{name: lstm, depth: 2}`. None at all stands for every
            registered encoder.
        units: Width of the encoders whose mapping gives none.
        length: Of the sequences to come, in steps.

    Raises:
        ConfigError: An encoder or one of its arguments is unknown or wrong.
        UsageError: A mapping is no YAML.
    """
    found: list[Variant] = []
    for text in asked or encoders.names():
        settings = {"units": units, "causal": True, **_settings(text)}
        component = check_component("encoder", settings, f"ENCODER {text}")
        found += _forms(component.name, dict(component.arguments), _settings(text), length)
    return found


def _settings(text: str) -> dict[str, Any]:
    if not text.lstrip().startswith("{"):
        return {"name": text}
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        value = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError) as error:
        way_out = "Write a name, or {name: lstm, depth: 2}"
        raise UsageError(problem("ENCODER", "is no valid YAML", received=text, way_out=way_out)) from error
    return dict(value) if isinstance(value, Mapping) else {"name": text}


def _forms(name: str, arguments: dict[str, Any], written: Mapping[str, Any], length: int) -> list[Variant]:
    """Returns an encoder once, or once for each way that it can begin, if the user chose none."""
    known = {argument.name: argument for argument in encoders.arguments(name)}
    arguments |= {key: length for key in _LENGTHS if key in known and key not in written}
    label = ", ".join([name, *(f"{key} {value}" for key, value in written.items() if key != "name")])
    for key in _BEGINNINGS:
        kind = parse(known[key].annotation) if key in known else None
        if isinstance(kind, Choice) and key not in written:
            spoken = key.replace("_", " ")
            return [Variant(name, {**arguments, key: value}, f"{label}, {spoken} {value}") for value in kind.values]
    return [Variant(name, arguments, label)]
