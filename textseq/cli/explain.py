"""`textseq explain`: which tokens moved a label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from textseq.cli.links import link
from textseq.cli.options import backend_option, begin, note, plugin_option

_GOOD = 0.01  # completeness error, as a fraction


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.argument("text", metavar="TEXT")
@click.option("--class", "label", help="Explain this class and not the likeliest one.")
@click.option("--html", type=click.Path(path_type=Path), help="Write a page to this file.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@plugin_option
@backend_option
def explain(
    run: Path,
    text: str,
    label: str | None,
    html: Path | None,
    as_json: bool,
    plugins: tuple[str, ...],
    backend: str | None,
) -> None:
    """Shows how much each token of TEXT moved the label that RUN gives it.

    By integrated gradients of the label's log-odds, from a text of unknown tokens; what the tokens are given adds up
    to what the log-odds gained, and how well it does is said. A tab stands between the two texts of a pair.

    Example: textseq explain runs/sst2 "not a bad film" --html why.html
    """
    if html:
        from textseq.reporting.page import require_extra

        require_extra("--html")
    begin(plugins=plugins, backend=backend)
    from textseq.cli.texts import read_texts
    from textseq.evaluation.loading import load_run, require_task
    from textseq.explaining.explanation import Explainer

    loaded = load_run(run, note)
    require_task(loaded, "classification", "explain")
    (whole,) = read_texts((text,), None, loaded.config.data)
    found = Explainer(loaded).explain(whole, label)
    if found.attributions.completeness_error > _GOOD:
        note(f"the parts add up to within {found.attributions.completeness_error:.1%} of the whole only.")
    if as_json:
        click.echo(json.dumps({"run": str(run), **found.to_dict()}, ensure_ascii=False))
    else:
        _show(found)
    if html:  # last, for it may fail
        from textseq.reporting.looking.pages import write_explanation

        write_explanation(found, html)
        if not as_json:
            click.echo(f"The page: {link(html)}")


def _show(found: Any) -> None:
    """Writes the text in colours where there are some, and the tokens in the order of what they did."""
    from rich.console import Console
    from rich.text import Text

    from textseq.cli.tables import plain_table
    from textseq.reporting.looking.tables import explanation_sentence, explanation_table

    coloured = Text()
    for token, share in zip(found.tokens, found.shares, strict=True):
        strength = round(abs(float(share)) * 200)
        colour = f"rgb(0,{strength // 3},{strength})" if share >= 0 else f"rgb({strength},{strength // 3},0)"
        coloured.append(token, style=f"white on {colour}" if strength > 10 else "")
    Console(highlight=False).print(coloured)
    click.echo(explanation_sentence(found))
    click.echo(plain_table(explanation_table(found)))
