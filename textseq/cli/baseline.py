"""`textseq baseline`: what a linear model scores on the same splits."""

from __future__ import annotations

import json
from pathlib import Path

import click

from textseq.cli.options import begin, set_option


@click.command()
@click.argument("config_path", metavar="CONFIG", type=click.Path(path_type=Path))
@set_option
@click.option("--split", default="test", show_default=True, type=click.Choice(["validation", "test"]))
@click.option(
    "--features",
    default="words",
    show_default=True,
    type=click.Choice(["words", "characters", "both"]),
    help="TF-IDF of word 1-2-grams, of character 2-5-grams, or both.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def baseline(config_path: Path, overrides: tuple[str, ...], split: str, features: str, as_json: bool) -> None:
    """Fits TF-IDF and a linear support vector machine to CONFIG's data, for comparison.

    Example: textseq baseline configs/classification/sst2-lstm.yaml --features both
    """
    begin()
    from textseq.config import load_config
    from textseq.evaluation.baseline import baseline as linear

    config = load_config(config_path, overrides)
    scores = linear(config, split=split, features=features)
    if as_json:
        click.echo(json.dumps({"config": str(config_path), "split": split, **scores}))
        return
    click.echo(
        f"Linear model ({features}): accuracy {scores['accuracy']:.4f}, macro F1 {scores['macro_f1']:.4f} "
        f"on {scores['rows']:,} rows of {split}, in {scores['seconds']:.1f} s"
    )
