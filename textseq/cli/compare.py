"""`textseq compare`: runs side by side, and whether they differ by more than chance."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from textseq.cli.links import link

_PAIRS_SHOWN = 15


@click.command()
@click.argument("runs", metavar="RUN…", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--score", type=float, help="Validation score to which the time is taken. Default: what all runs reached."
)
@click.option("--html", type=click.Path(path_type=Path), help="Write a page with curves as well.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def compare(runs: tuple[Path, ...], score: float | None, html: Path | None, as_json: bool) -> None:
    """Compares RUNs: scores with intervals, tests on the same test rows, costs, and what their configs differ in.

    Example: textseq compare runs/lstm runs/gru runs/transformer --html compare.html
    """
    from textseq.reporting.comparison.comparing import compare as compare_runs
    from textseq.reporting.facts import Facts
    from textseq.reporting.page import require_extra
    from textseq.rundir import RunDirectory

    if html is not None:
        require_extra("textseq compare --html")
    facts = [Facts.read(RunDirectory.open(run)) for run in runs]
    found = compare_runs(facts, score=score)
    if html is not None:
        from textseq.reporting.comparison.page import write_comparison

        write_comparison(found, facts, html)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    _show(found)
    if html is not None:
        click.echo(f"The page: {link(html)}")


def _show(found: dict[str, Any]) -> None:
    from textseq.cli.tables import plain_table
    from textseq.reporting.comparison import tables

    click.echo(plain_table(tables.scores_table(found)))
    click.echo(plain_table(tables.costs_table(found)))
    if found["pairs"]:
        click.echo(plain_table(tables.pairs_table(found, _PAIRS_SHOWN)))
        if (more := len(found["pairs"]) - _PAIRS_SHOWN) > 0:
            click.echo(f"{more:,} more pairs: --json or --html shows them.")
    for table in (tables.majority_table(found), tables.differences_table(found)):
        if table is not None:
            click.echo(plain_table(table))
    click.echo(tables.conclusion(found))
