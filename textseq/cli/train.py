"""`textseq train`: from a config to a run directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from textseq.cli.options import backend_option, begin, plugin_option, say, set_option, silence
from textseq.cli.processes import Processes, begun_before, distributed_options, in_step, with_batch_size


@click.command()
@click.argument("config_path", metavar="CONFIG", type=click.Path(path_type=Path))
@set_option
@click.option(
    "--run-dir", type=click.Path(path_type=Path), help="The run's own directory. Default: runs/<name of the config>."
)
@plugin_option
@backend_option
@click.option("--overwrite", is_flag=True, help="Train anew where the run directory holds a run.")
@click.option("--resume", is_flag=True, help="Go on with the run in the run directory; begin where there is none.")
@click.option("--dry-run", is_flag=True, help="Read, audit and build everything; train nothing, write nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the scores as one JSON object.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.option("--report/--no-report", default=True, help="Whether to make report.html at the end. Default: yes.")
@distributed_options
def train(
    config_path: Path,
    overrides: tuple[str, ...],
    run_dir: Path | None,
    plugins: tuple[str, ...],
    backend: str | None,
    overwrite: bool,
    resume: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    report: bool,
    **distributed: Any,
) -> None:
    """Trains the model that CONFIG describes.

    Example: textseq train configs/classification/sst2-lstm.yaml --set training.epochs=3 --run-dir runs/sst2
    """
    processes = Processes(**distributed)
    begin(plugins=plugins, backend=processes.backend(backend))
    from textseq.config import load_config
    from textseq.errors import UsageError, problem
    from textseq.files import locked
    from textseq.rundir import RunDirectory

    config = load_config(config_path, overrides)
    run_dir = run_dir or Path("runs") / config.name
    if dry_run:
        _dry_run(config, plugins)
        return
    if resume and overwrite:
        wrong = "goes on with a run, and --overwrite deletes it"
        raise UsageError(problem("--resume", wrong, way_out="Pass one"))
    with processes.together(config, run_dir) as (shard, own_dir):
        run = RunDirectory(own_dir)
        alone = {"quiet": quiet or shard.index > 0, "report": report and shard.index == 0}
        goes_on = resume and begun_before(run, shard)
        if not goes_on:
            run.refuse_if_taken(overwrite=overwrite)
            run.refuse_if_read_only()
        config = with_batch_size(config, silence if alone["quiet"] else say, shard, plugins, run if goes_on else None)
        scores = None
        if goes_on:
            from textseq.cli.resuming import go_on

            with locked(run.path):
                scores = go_on(run, config, config_path, shard, say=silence if alone["quiet"] else say, **alone)
        if scores is None:
            overwrite = overwrite or goes_on
            scores = _train(config, config_path, own_dir, shard, overwrite=overwrite, **alone)
    if shard.index == 0:
        _show(scores, run_dir, as_json=as_json)


def _train(
    config: Any, config_path: Path, run_dir: Path, shard: Any, *, overwrite: bool, quiet: bool, report: bool
) -> dict[str, Any]:
    """Does everything that may be refused before it makes, or clears, the run directory."""
    from textseq.data.audit import lines
    from textseq.files import locked
    from textseq.provenance import Provenance
    from textseq.rundir import RunDirectory
    from textseq.training.trainer import build, prepare

    speak = silence if quiet else say
    as_written = config_path.read_text(encoding="utf-8")
    task, prepared = in_step(lambda: prepare(config, speak), config, shard)
    for line in lines(prepared.audit):
        speak(f"  {line}")
    ready = build(config, task, prepared, speak)
    provenance = Provenance.of(config)
    with locked(run_dir):  # before anything of an earlier run goes: another process may train it
        run = RunDirectory.create(run_dir, overwrite=overwrite)
        return _begin(run, config, ready, as_written, provenance, quiet=quiet, report=report)


def _begin(
    run: Any, config: Any, ready: Any, as_written: str, provenance: Any, *, quiet: bool, report: bool
) -> dict[str, Any]:
    """Writes what is known before the training, trains, and makes the report."""
    from textseq.cli.afterwards import leave_report
    from textseq.cli.progress import make_reporter
    from textseq.training.environment import environment
    from textseq.training.trainer import record, train

    speak = silence if quiet else say
    run.write_text("resolved.yaml", config.to_yaml())  # first, for it makes the directory a run's
    run.write_text("config.yaml", as_written)
    provenance.write(run)
    run.write_json("environment.json", environment())
    record(run, ready.prepared)
    scores = train(ready, run, make_reporter(quiet=quiet), speak)
    if report:
        leave_report(run, ready, speak)
    return scores


def _dry_run(config: Any, plugins: tuple[str, ...]) -> None:
    from textseq.data.audit import lines
    from textseq.data.shards import WHOLE
    from textseq.training.trainer import build, prepare

    config = with_batch_size(config, say, WHOLE, plugins)
    task, prepared = prepare(config, say)
    for line in lines(prepared.audit):
        say(f"  {line}")
    ready = build(config, task, prepared, say)
    steps = ready.feed.steps_per_epoch
    say(f"{config.encoder.name}: {ready.model.count_params():,} weights; {steps:,} steps an epoch. Nothing written.")


def _show(scores: dict[str, Any], run_dir: Path, *, as_json: bool) -> None:
    import json
    import shlex

    from textseq.cli.links import link
    from textseq.cli.tables import scores_table
    from textseq.provenance import copies_in
    from textseq.rundir import RunDirectory

    if as_json:
        click.echo(json.dumps({"run": str(run_dir), **scores}))
        return
    click.echo(scores_table(scores))
    if (page := run_dir / "report.html").is_file():
        click.echo(f"The report: {link(page)}")
    run, directory = shlex.quote(str(run_dir)), RunDirectory(run_dir)
    more = "".join(f" --plugin {shlex.quote(str(path))}" for path in copies_in(directory))
    asked = f"predict {run} 'a text'" if directory.labels.is_file() else f"generate {run} --prompt 'a text'"
    following = f"textseq evaluate {run}{more} · textseq {asked}{more} · textseq export {run} OUT{more}"
    click.echo(f"The run lies in {run_dir}. Next: {following}")
