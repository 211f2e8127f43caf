"""What is known of a component without importing it: where it comes from, what it takes, what it can do."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from textseq.errors import RegistryError
from textseq.registry import Registry, registries

_ORIGIN = ("package", "version", "module", "file", "sha256", "cause")


def facts(registry: Registry, name: str) -> dict[str, Any]:
    """Returns name, kind, summary and origin; `cause` says why a broken one does not load."""
    entry: dict[str, Any] = {"name": name, "kind": registry.kind, "summary": None, **dict.fromkeys(_ORIGIN)}
    try:
        origin = registry.origin(name)
        entry |= {key: getattr(origin, key) for key in _ORIGIN}
        entry["summary"] = registry.summary(name) or None
    except RegistryError as error:
        entry["cause"] = entry["cause"] or str(error)
    return entry


def details(registry: Registry, name: str) -> dict[str, Any]:
    """Returns `facts`, the constructor's arguments and what the component can do.

    Raises:
        RegistryError: It does not load, and its source does not tell.
    """
    arguments = [asdict(argument) for argument in registry.arguments(name)]
    return {**facts(registry, name), "arguments": arguments, **_abilities(registry, name, arguments)}


def origin_words(entry: dict[str, Any]) -> str:
    """Returns where a component comes from: its package and version, or its file."""
    if entry["package"]:
        return f"{entry['package']} {entry['version']}"
    return str(entry["file"] or entry["module"] or "nowhere")


def ability_words(entry: dict[str, Any]) -> str:
    """Returns what a component can do, as a sentence without a stop."""
    words = [f"for {' and '.join(entry['tasks'])}"] if "tasks" in entry else []
    if entry["kind"] == "encoder":
        words.append(
            "carries a state, so it generates and serves token by token"
            if entry["streams"]
            else "carries no state, so windows of text stand alone (task.carry_state: false)"
        )
    if entry["kind"] == "tokenizer":
        words.append(
            "its runs export" if entry["exports"] else "its runs cannot be exported, for want of graph_encoder"
        )
    return "; ".join(words)


def _abilities(registry: Registry, name: str, arguments: list[dict[str, Any]]) -> dict[str, Any]:
    methods = registry.methods(name)
    if registry.kind == "encoder":
        causal = any(argument["name"] == "causal" for argument in arguments)
        known = [task for task in registries["task"].names() if causal or task != "language_modeling"]
        return {"tasks": known, "streams": "get_initial_state" in methods}
    if registry.kind == "tokenizer":
        return {"tasks": registries["task"].names(), "exports": "graph_encoder" in methods}
    return {}
