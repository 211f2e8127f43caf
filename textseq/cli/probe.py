"""`textseq probe`: how far back gradients reach, what encoders learn to remember, what gates and attention do."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from textseq.cli.options import backend_option, begin, note, plugin_option

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
html_option = click.option("--html", type=click.Path(path_type=Path), help="Write a page with the charts to this file.")
units_option = click.option(
    "--units", default=64, show_default=True, type=click.IntRange(1), help="Width of encoders that name none."
)
seed_option = click.option("--seed", default=0, show_default=True, type=click.IntRange(0))


@click.group()
def probe() -> None:
    """See what encoders can remember.

    An ENCODER is a name, or a mapping as in a config: '{name: lstm, depth: 2}'. None at all stands for all.
    """


@probe.command()
@click.argument("encoders", metavar="[ENCODER]...", nargs=-1)
@click.option("--run", "runs", multiple=True, type=click.Path(path_type=Path), help="A run's encoder too; repeatable.")
@click.option(
    "--length", "--T", "length", default=1000, show_default=True, type=click.IntRange(10, 10_000), help="In steps."
)
@click.option(
    "--of",
    "wanted",
    default="output",
    show_default=True,
    type=click.Choice(["output", "state", "input"]),
    help="Gradient of h, of all that is carried on, or of x; where an encoder has no such thing, the next that it has.",
)
@click.option(
    "--initialisations", default=3, show_default=True, type=click.IntRange(1), help="Draws of weights to average over."
)
@units_option
@seed_option
@html_option
@json_option
@plugin_option
@backend_option
def gradients(
    encoders: tuple[str, ...],
    runs: tuple[Path, ...],
    length: int,
    wanted: str,
    initialisations: int,
    units: int,
    seed: int,
    html: Path | None,
    as_json: bool,
    plugins: tuple[str, ...],
    backend: str | None,
) -> None:
    """Shows how the gradient shrinks with the distance to the loss, at first and, with --run, after training.

    Example: textseq probe gradients rnn lstm --length 400 --run runs/wikitext2-lstm --html reach.html
    """
    from textseq.pages.page import require_pages

    if html:
        require_pages()
    begin(plugins=plugins, backend=backend)
    from textseq.cli.probe_tables import reach_page, reach_text
    from textseq.cli.status_line import status_line
    from textseq.evaluation.loading import load_run
    from textseq.probing.subjects import reach_at_first, reach_of_run
    from textseq.probing.variants import variants

    subjects = variants(encoders, units=units, length=length) if encoders or not runs else []
    loaded = [load_run(run, note) for run in runs]
    found: list[Any] = []
    with status_line(quiet=as_json) as say:
        began = time.monotonic()
        for done, variant in enumerate(subjects):
            left = (time.monotonic() - began) / done * (len(subjects) - done) if done else float("nan")
            say(f"{variant.label}: encoder {done + 1} of {len(subjects)}" + (f", {left:.0f} s left" if done else ""))
            found.append(reach_at_first(variant, length=length, initialisations=initialisations, seed=seed))
        for run in loaded:
            say(f"{run.directory.path}: at first and trained")
            found += reach_of_run(run, length=length, seed=seed)
    if html:
        reach_page(html, found, wanted, length)
    if as_json:
        click.echo(json.dumps({"length": length, "encoders": [one.to_dict() for one in found]}))
        return
    click.echo(reach_text(found, wanted, length))
    if html:
        click.echo(f"The page: {html.resolve().as_uri()}")


@probe.command()
@click.argument("encoders", metavar="[ENCODER]...", nargs=-1)
@click.option(
    "--length", "--T", "length", default=100, show_default=True, type=click.IntRange(10, 10_000), help="In steps."
)
@click.option(
    "--task",
    "tasks",
    multiple=True,
    type=click.Choice(["adding", "copy", "order"]),
    help="The adding problem, copying, or temporal order; repeatable. Default: all three.",
)
@click.option(
    "--seconds",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0, min_open=True),
    help="Budget of each encoder for each problem.",
)
@click.option("--steps", "most_steps", type=click.IntRange(1), help="Batches at most, whatever time is left.")
@units_option
@seed_option
@json_option
@plugin_option
@backend_option
def memory(
    encoders: tuple[str, ...],
    length: int,
    tasks: tuple[str, ...],
    seconds: float,
    most_steps: int | None,
    units: int,
    seed: int,
    as_json: bool,
    plugins: tuple[str, ...],
    backend: str | None,
) -> None:
    """Trains encoders on problems that need memory, until solved or out of time: a row an encoder.

    Example: textseq probe memory rnn lstm --length 100 --task adding --seconds 300
    """
    begin(plugins=plugins, backend=backend)
    from textseq.cli.probe_tables import attempts_table
    from textseq.cli.status_line import status_line
    from textseq.probing.memory import attempt, refuse_short
    from textseq.probing.sequences import PROBLEMS
    from textseq.probing.variants import variants

    subjects = variants(encoders, units=units, length=length)
    problems = [PROBLEMS[name] for name in dict.fromkeys(tasks or PROBLEMS)]
    for problem in problems:
        refuse_short(problem, length)
    found: list[Any] = []
    with status_line(quiet=as_json) as say:
        for problem in problems:
            for variant in subjects:
                name = f"{problem.name}, {variant.label} ({len(found) + 1} of {len(problems) * len(subjects)})"
                say(f"{name}: compiling")

                def progress(steps: int, spent: float, score: float, name: str = name) -> None:
                    rate, left = steps / max(spent, 1e-9), max(seconds - spent, 0)
                    say(f"{name}: step {steps:,}, score {score:.4f}, {rate:,.0f} steps/s, at most {left:.0f} s left")

                found.append(
                    attempt(
                        variant,
                        problem,
                        length=length,
                        seconds=seconds,
                        seed=seed,
                        most_steps=most_steps,
                        progress=progress,
                    )
                )
    if as_json:
        click.echo(json.dumps({"length": length, "attempts": [one.to_dict() for one in found]}))
        return
    click.echo(attempts_table(found))


@probe.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--text", required=True, help="The text to read; a tab between the two of a pair.")
@html_option
@json_option
@plugin_option
@backend_option
def gates(
    run: Path, text: str, html: Path | None, as_json: bool, plugins: tuple[str, ...], backend: str | None
) -> None:
    """Shows RUN's gates and cells at each token of a text, or its attention from token to token.

    Example: textseq probe gates runs/sst2 --text "not a bad film" --html gates.html
    """
    from textseq.pages.page import require_pages

    if html:
        require_pages()
    begin(plugins=plugins, backend=backend)
    from textseq.cli.probe_tables import inner_page, inner_text
    from textseq.cli.texts import read_texts
    from textseq.evaluation.loading import load_run
    from textseq.probing.inner import look_inside

    loaded = load_run(run, note)
    (whole,) = read_texts((text,), None, loaded.config.data)
    read, layers = look_inside(loaded, whole)
    if html:
        inner_page(html, text, read.tokens, layers)
    if as_json:
        plain = [layer.to_dict() for layer in layers]
        click.echo(json.dumps({"run": str(run), "text": text, "tokens": read.tokens, "layers": plain}))
        return
    click.echo(inner_text(read.tokens, layers))
    if html:
        click.echo(f"The page: {html.resolve().as_uri()}")
