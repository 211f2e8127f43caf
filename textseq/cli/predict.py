"""`textseq predict`: labels for texts from the command line, a file or a pipe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from textseq.cli.options import backend_option, begin, note, plugin_option
from textseq.cli.texts import read_texts


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option(
    "--input", "source", metavar="FILE|-", help="One text a line; for .jsonl, the run's text columns; - for stdin."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a text, with all probabilities.")
@plugin_option
@backend_option
def predict(
    run: Path, texts: tuple[str, ...], source: str | None, as_json: bool, plugins: tuple[str, ...], backend: str | None
) -> None:
    """Labels each TEXT, or each line of --input, with RUN's model; in order, in constant memory.

    Example: textseq predict runs/sst2 "a moving film" --json
    """
    if bool(texts) == bool(source):
        raise click.UsageError("Give texts or --input FILE, one of the two.")
    begin(plugins=plugins, backend=backend)
    from textseq.evaluation.loading import load_run, require_task
    from textseq.evaluation.prediction import predict as label

    loaded = load_run(run, note)
    require_task(loaded, "classification", "predict")
    for answer in label(loaded, read_texts(texts, source, loaded.config.data)):
        click.echo(json.dumps(answer, ensure_ascii=False) if as_json else _line(answer))


def _line(answer: dict[str, Any]) -> str:
    if "labels" in answer:
        shown = ", ".join(f"{name} {answer['probabilities'][name]:.3f}" for name in answer["labels"]) or "–"
    else:
        shown = f"{answer['label']}\t{answer['probabilities'][answer['label']]:.3f}"
    return f"{shown}\t{' ⇥ '.join(_texts(answer))}"


def _texts(answer: dict[str, Any]) -> Iterator[str]:
    for name in ("text", "text_pair"):
        if name in answer:
            yield " ".join(str(answer[name]).split())
