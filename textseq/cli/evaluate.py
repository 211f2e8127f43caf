"""`textseq evaluate`: the scores of a run on one split."""

from __future__ import annotations

import json
from pathlib import Path

import click

from textseq.cli.options import backend_option, begin, note, plugin_option


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--split", default="test", show_default=True, help="train, validation or test.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--record", is_flag=True, help="Keep each row's answer in RUN, for report and compare.")
@plugin_option
@backend_option
def evaluate(run: Path, split: str, as_json: bool, record: bool, plugins: tuple[str, ...], backend: str | None) -> None:
    """Scores RUN on a split of its dataset.

    Example: textseq evaluate runs/sst2 --split validation --json
    """
    begin(plugins=plugins, backend=backend)
    from textseq.cli.progress import counter
    from textseq.cli.tables import detailed_scores
    from textseq.evaluation.loading import load_run

    loaded = load_run(run, note)
    with counter("Evaluating", quiet=as_json) as progress:
        scores = loaded.evaluate(split, progress, record=record)
    if as_json:
        click.echo(json.dumps({"run": str(run), "split": split, **scores}))
        return
    click.echo(detailed_scores(split, scores))
