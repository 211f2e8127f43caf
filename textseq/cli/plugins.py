"""`textseq plugins`: which encoders, tokenizers and tasks there are, read without importing them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import click

from textseq.cli.options import begin, plugin_option
from textseq.errors import RegistryError, unknown


@click.group()
def plugins() -> None:
    """List and show encoders, tokenizers and tasks."""


@plugins.command("list")
@plugin_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def list_(plugins: tuple[str, ...], as_json: bool) -> None:
    """Lists every component: name, where it comes from, what it is."""
    if plugins:
        begin(plugins)
    from textseq.registry import registries

    found = {kind: [_entry(registry, name) for name in registry.names()] for kind, registry in registries.items()}
    if as_json:
        click.echo(json.dumps(found))
        return
    for kind, entries in found.items():
        click.echo(f"{kind}s")
        width = max((len(entry["name"]) for entry in entries), default=0)
        for entry in entries:
            origin = entry["package"] or entry["file"] or entry["module"]
            click.echo(
                f"  {entry['name']:<{width}}  {entry['summary'] or 'BROKEN: ' + str(entry['cause'])}  [{origin}]"
            )


@plugins.command()
@click.argument("name")
@plugin_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def show(name: str, plugins: tuple[str, ...], as_json: bool) -> None:
    """Shows the arguments of the component NAME, which are the settings of its section in a config."""
    if plugins:
        begin(plugins)
    from textseq.registry import registries

    found = [registry for registry in registries.values() if name in registry.names()]
    if not found:
        raise RegistryError(unknown("component", name, [n for r in registries.values() for n in r.names()]))
    entry = _entry(found[0], name)
    arguments = [asdict(argument) for argument in found[0].arguments(name)]
    if as_json:
        click.echo(json.dumps({**entry, "arguments": arguments}))
        return
    click.echo(
        f"{entry['kind']} {name}: {entry['summary']}\n  from {entry['module']} ({entry['package'] or entry['file']})"
    )
    for argument in arguments:
        default = "required" if argument["required"] else f"default {argument['default']!r}"
        click.echo(f"  {argument['name']}: {argument['annotation'] or 'any'}  ({default})\n      {argument['doc']}")


def _entry(registry: Any, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "kind": registry.kind, "summary": None}
    try:
        origin = registry.origin(name)
        entry |= {key: getattr(origin, key) for key in ("package", "version", "module", "file", "sha256", "cause")}
        entry["summary"] = registry.summary(name)
    except RegistryError as error:
        entry = {"package": None, "file": None, "module": None, **entry, "cause": str(error)}
    return entry
