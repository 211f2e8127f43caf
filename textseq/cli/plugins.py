"""`textseq plugins`: which encoders, tokenizers and tasks there are, read without importing them."""

from __future__ import annotations

import json

import click

from textseq.cli.options import begin, plugin_option
from textseq.cli.plugin_check import check
from textseq.cli.plugin_new import new


@click.group()
def plugins() -> None:
    """List, show, check and begin encoders, tokenizers and tasks."""


plugins.add_command(check)
plugins.add_command(new)


@plugins.command("list")
@plugin_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def list_(plugins: tuple[str, ...], as_json: bool) -> None:
    """Lists every component: name, what it is, where it comes from; broken ones with their cause."""
    if plugins:
        begin(plugins)
    from textseq.cli.plugin_facts import facts, origin_words
    from textseq.registry import registries

    found = {kind: [facts(registry, name) for name in registry.names()] for kind, registry in registries.items()}
    if as_json:
        click.echo(json.dumps(found))
        return
    for kind, entries in found.items():
        click.echo(f"{kind}s")
        width = max((len(entry["name"]) for entry in entries), default=0)
        for entry in entries:
            words = f"BROKEN: {entry['cause']}" if entry["cause"] else entry["summary"] or "(says nothing of itself)"
            click.echo(f"  {entry['name']:<{width}}  {words}  [{origin_words(entry)}]")


@plugins.command()
@click.argument("name")
@plugin_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def show(name: str, plugins: tuple[str, ...], as_json: bool) -> None:
    """Shows the component NAME: its origin, what it can do, and its arguments, which are settings of configs."""
    if plugins:
        begin(plugins)
    from textseq.cli.plugin_facts import ability_words, details, origin_words
    from textseq.registry import registry_of

    entry = details(registry_of(name), name)
    if as_json:
        click.echo(json.dumps(entry))
        return
    click.echo(f"{entry['kind']} {name}: {entry['summary'] or '(says nothing of itself)'}")
    click.echo(f"  from {origin_words(entry)}: {entry['module']}, {entry['file']}")
    if words := ability_words(entry):
        click.echo(f"  {words}")
    for argument in entry["arguments"]:
        default = "required" if argument["required"] else f"default {argument['default']!r}"
        click.echo(f"  {argument['name']}: {argument['annotation'] or 'any'}  ({default})\n      {argument['doc']}")
