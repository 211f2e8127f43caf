"""`textseq export`: a SavedModel from a run, checked before it is published."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click

from textseq.cli.options import begin, note, plugin_option
from textseq.export.runtimes.formats import FORMATS, SAVED_MODEL, chosen

FORMAT_NAMES = (SAVED_MODEL, *FORMATS)


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--calibrate",
    is_flag=True,
    help="Fit a temperature on the validation split. Labels stay; probabilities are no longer those of predict.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(FORMAT_NAMES),
    help="Convert a classifier too, to OUT.<format>/<version>; repeatable. The SavedModel is always made. "
    "tflite takes token ids, the others raw strings.",
)
@click.option(
    "--int8",
    is_flag=True,
    help="Models of 8-bit weights too, to OUT.<format>-int8/<version>; of onnx and tflite.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@plugin_option
@click.option("--in-this-process", is_flag=True, hidden=True)
def export(
    run: Path,
    out: Path,
    calibrate: bool,
    formats: tuple[str, ...],
    int8: bool,
    as_json: bool,
    plugins: tuple[str, ...],
    in_this_process: bool,
) -> None:
    """Writes RUN's model to OUT/<next version>, as a SavedModel that TensorFlow Serving loads as it is.

    It is published only if it answers as RUN does, on held-out and on adversarial texts.

    Example: textseq export runs/sst2 served/sst2
    """
    chosen(formats, int8=int8)
    if not in_this_process:
        flags = {"--calibrate": calibrate, "--int8": int8, "--json": as_json}
        named = [part for name in formats for part in ("--format", name)]
        _elsewhere([*(flag for flag, given in flags.items() if given), *named], plugins, run, out)
    begin(plugins=plugins, backend="tensorflow")
    from textseq.export.exporter import export as make

    made = make(run, out, calibrate=calibrate, formats=formats, int8=int8, note=note)
    if as_json:
        click.echo(json.dumps(made, ensure_ascii=False))
        return
    _show(made)


def _elsewhere(flags: list[str], plugins: tuple[str, ...], run: Path, out: Path) -> None:
    """Does the same in a process of its own: on TensorFlow and without a GPU, whatever this one has begun with."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "CUDA_VISIBLE_DEVICES": "-1"}
    named = [part for plugin in plugins for part in ("--plugin", plugin)]
    command = [sys.executable, "-m", "textseq", "export", "--in-this-process", *flags, *named, "--", str(run), str(out)]
    raise SystemExit(subprocess.run(command, env=environment, check=False).returncode)


def _show(made: dict[str, Any]) -> None:
    gate = made["gate"]
    checked = f"{gate['held_out']:,} held-out and {gate['adversarial']:,} adversarial texts"
    click.echo(f"Checked on {checked}: it answers as the run does.")
    click.echo(f"Signatures: {', '.join(made['signatures'])}.")
    if made["temperature"] != 1:
        click.echo(f"Probabilities are calibrated at temperature {made['temperature']:.3f}.")
    click.echo(f"The SavedModel lies in {made['path']}.")
    for name, more in made.get("formats", {}).items():
        _show_format(FORMATS[name].title, more)


def _show_format(title: str, made: dict[str, Any]) -> None:
    gate = made["gate"]
    checked = f"{gate['held_out']:,} held-out and {gate['adversarial']:,} adversarial texts"
    click.echo(f"{title} answers as the SavedModel does on {checked}, and lies in {made['path']}.")
    if (small := made.get("int8")) is None:
        return
    sizes = f"{small['bytes']:,} bytes in the place of {small['bytes_before']:,}"
    click.echo(f"With 8-bit weights, {sizes}, it lies in {small['path']}.")
    if small["accuracy"] is None:
        click.echo("Its accuracy is not known, for no labelled split can be read.")
        return
    change = f"{small['accuracy']:.4f}, before {small['accuracy_before']:.4f}"
    click.echo(f"Its accuracy on the {small['rows']:,} rows of {small['split']} is {change}.")
