"""`textseq config`: check, show and describe configs, without importing TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path

import click

from textseq.cli.options import plugin_option, set_option


@click.group()
def config() -> None:
    """Check, show or describe configs."""


@config.command()
@click.argument("config_path", metavar="CONFIG", type=click.Path(path_type=Path))
@set_option
@plugin_option
def check(config_path: Path, overrides: tuple[str, ...], plugins: tuple[str, ...]) -> None:
    """Finds every mistake of CONFIG at once, with file and line."""
    _load_plugins(plugins)
    from textseq.config import load_config

    found = load_config(config_path, overrides)
    click.echo(f"{config_path}: fine ({found.task.name} of {found.data.path} with {found.encoder.name}).")


@config.command()
@click.argument("config_path", metavar="CONFIG", type=click.Path(path_type=Path))
@set_option
@plugin_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON rather than YAML.")
def show(config_path: Path, overrides: tuple[str, ...], plugins: tuple[str, ...], as_json: bool) -> None:
    """Shows CONFIG with every default filled in."""
    _load_plugins(plugins)
    from textseq.config import load_config

    found = load_config(config_path, overrides)
    click.echo(json.dumps(found.to_dict(), ensure_ascii=False) if as_json else found.to_yaml(), nl=as_json)


@config.command()
@plugin_option
def schema(plugins: tuple[str, ...]) -> None:
    """Prints a JSON schema of configs, installed components' arguments among them, for editors."""
    _load_plugins(plugins)
    from textseq.config.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=1))


def _load_plugins(plugins: tuple[str, ...]) -> None:
    if plugins:
        from textseq.cli.options import begin

        begin(plugins)
