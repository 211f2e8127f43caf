"""`textseq report`: one page that shows a run."""

from __future__ import annotations

import json
from pathlib import Path

import click

from textseq.cli.links import link


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The file to write. Default: RUN/report.html.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def report(run: Path, out: Path | None, as_json: bool) -> None:
    """Writes a page that shows how RUN was trained, what it scores and where it is wrong.

    It needs no network, no model and no dataset; `textseq train` makes one at the end of every run.

    Example: textseq report runs/sst2
    """
    from textseq.reporting.report import write_report
    from textseq.rundir import RunDirectory

    made = write_report(RunDirectory.open(run, trained=False), out)
    click.echo(json.dumps({"run": str(run), "report": str(made)}) if as_json else f"The report: {link(made)}")
