"""`textseq generate`: text from a language model."""

from __future__ import annotations

import json
from pathlib import Path

import click

from textseq.cli.options import backend_option, begin, note, plugin_option


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--prompt", required=True, help="Text to go on from.")
@click.option("--max-tokens", default=100, show_default=True, type=click.IntRange(min=1), help="Tokens at most.")
@click.option("--temperature", default=1.0, show_default=True, help="0 takes the likeliest token each time.")
@click.option("--top-k", default=0, show_default=True, help="Consider so many likeliest tokens; 0 for all.")
@click.option("--top-p", default=1.0, show_default=True, help="Consider the likeliest tokens of this probability.")
@click.option("--seed", default=0, show_default=True, help="Same seed, same text.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@plugin_option
@backend_option
def generate(
    run: Path,
    prompt: str,
    max_tokens: int,
    temperature: float,
    top_k: int,
    top_p: float,
    seed: int,
    as_json: bool,
    plugins: tuple[str, ...],
    backend: str | None,
) -> None:
    """Goes on from a prompt with RUN's language model.

    Example: textseq generate runs/shakespeare --prompt "ROMEO:" --max-tokens 200 --temperature 0.8
    """
    begin(plugins=plugins, backend=backend)
    from textseq.evaluation.generation import generate_text
    from textseq.evaluation.loading import load_run, require_task
    from textseq.evaluation.sampling import Sampling

    sampling = Sampling(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
    loaded = load_run(run, note)
    require_task(loaded, "language_modeling", "generate")
    text = generate_text(loaded, prompt, max_tokens=max_tokens, sampling=sampling)
    if as_json:
        click.echo(json.dumps({"prompt": prompt, "text": text, "seed": seed}, ensure_ascii=False))
    else:
        click.echo(prompt + text)
