"""`textseq train`: from a config to a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from textseq.cli.options import backend_option, begin, plugin_option, set_option


@click.command()
@click.argument("config_path", metavar="CONFIG", type=click.Path(path_type=Path))
@set_option
@click.option(
    "--run-dir", type=click.Path(path_type=Path), help="The run's own directory. Default: runs/<name of the config>."
)
@plugin_option
@backend_option
@click.option("--overwrite", is_flag=True, help="Train anew where the run directory holds a finished run.")
@click.option("--dry-run", is_flag=True, help="Read, audit and build everything; train nothing, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as one JSON object.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def train(
    config_path: Path,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    plugins: tuple[str, ...],
    backend: str | None,
    overwrite: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Trains the model that CONFIG describes.

    Example: textseq train configs/classification/sst2-lstm.yaml --set training.epochs=3 --run-dir runs/sst2
    """
    begin(plugins=plugins, backend=backend)
    from textseq.config import load_config
    from textseq.rundir import RunDirectory

    config = load_config(config_path, overrides)
    run_dir = run_dir or Path("runs") / config.name
    if dry_run:
        _dry_run(config)
        return
    run = RunDirectory.create(run_dir, overwrite=overwrite)
    _train(config, config_path, run, as_json=as_json, quiet=quiet)


def _train(config: Any, config_path: Path, run: Any, *, as_json: bool, quiet: bool) -> None:
    from textseq.cli.progress import make_reporter
    from textseq.data.audit import lines
    from textseq.plugins import provenance
    from textseq.training.environment import environment
    from textseq.training.trainer import prepare, record, train

    say = _silence if quiet else _say
    run.write_text("config.yaml", config_path.read_text(encoding="utf-8"))
    run.write_text("resolved.yaml", config.to_yaml())
    run.write_json("plugins.json", provenance(config))
    run.write_json("environment.json", environment())
    task, prepared = prepare(config, say)
    for line in lines(prepared.audit):
        say(f"  {line}")
    record(run, prepared)
    scores = train(config, run, task, prepared, make_reporter(quiet=quiet), say)
    _show(scores, run, as_json=as_json)


def _dry_run(config: Any) -> None:
    from textseq.data.audit import lines
    from textseq.training.trainer import prepare, seed_everything

    task, prepared = prepare(config, _say)
    for line in lines(prepared.audit):
        _say(f"  {line}")
    seed_everything(config)
    model = task.build_model(config, prepared.tokenizer.vocabulary_size, prepared.labels)
    steps = task.training_batches(prepared).steps_per_epoch
    _say(
        f"{config.encoder.name}: {model.count_params():,} weights; {steps or '?'} steps an epoch. Nothing was trained."
    )


def _show(scores: dict[str, Any], run: Any, *, as_json: bool) -> None:
    import json

    from textseq.cli.tables import scores_table

    if as_json:
        click.echo(json.dumps({"run": str(run.path), **scores}))
        return
    click.echo(scores_table(scores))
    click.echo(f"The run lies in {run.path}. Next: textseq evaluate {run.path} · textseq predict {run.path} 'a text'")


def _say(line: str) -> None:
    click.echo(line, err=True)


def _silence(line: str) -> None:
    """Says nothing."""
