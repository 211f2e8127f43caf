"""`textseq plugins new`: a package with a component of one's own that works, to begin with."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from textseq.registry import registries


@click.command("new")
@click.argument("name")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--kind",
    default="encoder",
    show_default=True,
    type=click.Choice(tuple(registries)),
    help="What the package brings.",
)
def new(name: str, folder: Path, kind: str) -> None:
    """Writes an installable package for the component NAME into the new folder DIR.

    Example: textseq plugins new mine mine
    """
    from textseq.scaffold.writing import write_package

    files = write_package(name, folder, kind)
    width = max(len(str(file)) for file in files)
    for file in files:
        click.echo(f"  {file!s:<{width}}  {_about(file)}".rstrip())
    component, config = (shlex.quote(str(path)) for path in (files[0], folder / "config.yaml"))
    place = str(folder) if folder.is_absolute() else f"./{folder}"  # a bare name is one of pip's index
    click.echo(
        f"Next: edit {component}, then\n"
        f"  textseq plugins check --plugin {component}\n"
        f"  textseq train {config} --plugin {component}\n"
        f"  pip install {shlex.quote(place)}"
    )


def _about(file: Path) -> str:
    """Returns what a file is for."""
    if file.name.startswith("test_"):
        return "its test, for pytest"
    if file.suffix == ".py":
        return "the component"
    known = {"config.yaml": "trains it", "pyproject.toml": "the entry point", "README.md": "what to do with it"}
    return known.get(file.name, "made-up sentences")
