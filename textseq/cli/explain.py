"""`textseq explain`: which tokens moved a label."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

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
    from textseq.pages.page import require_pages

    if html:
        require_pages()
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
    if html:
        _page(html, found)
    if as_json:
        click.echo(json.dumps({"run": str(run), **found.to_dict()}, ensure_ascii=False))
        return
    _show(found)
    if html:
        click.echo(f"The page: {html.resolve().as_uri()}")


def _show(found: Any) -> None:
    """Writes the text in colours where there are some, and the tokens in order of what they did."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from textseq.cli.tables import render

    coloured = Text()
    for one in _tokens(found):
        strength = round(abs(one["share"]) * 200)
        colour = f"rgb(0,{strength // 3},{strength})" if one["share"] >= 0 else f"rgb({strength},0,0)"
        coloured.append(one["token"], style=f"white on {colour}" if strength > 10 else "")
    Console(highlight=False).print(coloured)
    click.echo(_sentence(found))
    table = Table("token", "log-odds", "")
    for one in sorted(_tokens(found), key=lambda one: -abs(one["attribution"])):
        bar = ("+" if one["attribution"] >= 0 else "-") * round(abs(one["share"]) * 20)
        table.add_row(one["token"].strip() or "␣", f"{one['attribution']:+.3f}", bar)
    click.echo(render(table))


def _page(path: Path, found: Any) -> None:
    from textseq.pages.page import Section, coloured_tokens, table, write_page

    ordered = sorted(_tokens(found), key=lambda one: -abs(one["attribution"]))
    rows = [[one["token"].strip() or "␣", f"{one['attribution']:+.3f}"] for one in ordered]
    colours = "Blue speaks for the label, red against it. Nats of log-odds stand in each token's tip and in the table."
    sections = [
        Section(_sentence(found), colours, coloured_tokens(_tokens(found))),
        Section("In numbers", "In the order of what they did.", table(["token", "log-odds"], rows)),
    ]
    write_page(path, f"Why {found.label}", sections)


def _sentence(found: Any) -> str:
    parts = found.attributions
    return (
        f"{found.label} {found.probability:.3f}: log-odds {parts.output:+.2f}, of a text of unknown tokens "
        f"{parts.baseline:+.2f}; the parts add up to within {parts.completeness_error:.2%}"
    )


def _tokens(found: Any) -> list[dict[str, Any]]:
    """Returns token, attribution, and the share of the largest attribution."""
    values = found.attributions.values
    largest = float(abs(values).max()) or 1.0
    return [
        {"token": token, "attribution": float(value), "share": float(value) / largest}
        for token, value in zip(found.tokens, values, strict=True)
    ]
