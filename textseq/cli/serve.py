"""`textseq serve`: a local server that answers as TF Serving does."""

from __future__ import annotations

import importlib.util
import json
import signal
import warnings
from pathlib import Path

import click

from textseq.cli.options import light_start, note
from textseq.errors import UsageError, problem
from textseq.serving import ports
from textseq.serving.deployment import KINDS, deployment
from textseq.serving.folders import is_version, versions_in

_NEEDED = ("grpc", "tensorflow_serving", "uvicorn")


@click.command()
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.option("--name", help="The model's name in requests. Default: the folder's name.")
@click.option("--rest-port", default=8501, show_default=True, type=click.IntRange(0, 65535), help="0 for any.")
@click.option("--grpc-port", default=8500, show_default=True, type=click.IntRange(0, 65535), help="0 for any.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; 0.0.0.0 for all.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object once it serves, and nothing else.")
@click.option(
    "--print-deployment",
    type=click.Choice(KINDS),
    help="Print how TF Serving serves OUT in production, and serve nothing.",
)
def serve(
    out: Path,
    name: str | None,
    rest_port: int,
    grpc_port: int,
    host: str,
    as_json: bool,
    print_deployment: str | None,
) -> None:
    """Serves the newest version in OUT, which `textseq export` wrote, by REST and gRPC, for development.

    Example: textseq serve exports/sst2, then open http://127.0.0.1:8501/
    """
    name = _name(out, name)
    production = deployment(name, out)
    if print_deployment:
        click.echo(production.text(print_deployment))
        return
    _require_packages()
    rest = ports.listening(host, rest_port, "--rest-port")
    ports.listening(host, grpc_port, "--grpc-port").close()
    note("this server is for development. In production use TF Serving, on the same folder and with the same requests:")
    click.echo(f"  {production.text('docker')}", err=True)
    click.echo("  (--print-deployment compose or kubernetes for files)", err=True)
    with light_start("tensorflow"):
        import tensorflow  # noqa: F401
    warnings.filterwarnings("ignore", module="tensorflow|google")
    from textseq.serving import server

    signal.signal(signal.SIGTERM, signal.default_int_handler)  # until it serves: a stop is a stop
    models = server.load_models(name, out, note)

    def started(grpc_at: int) -> None:
        rest_at = ports.number(rest)
        model = models.named(name)
        version = model.newest() if model else None
        known = {"name": name, "version": version, "host": host, "rest_port": rest_at, "grpc_port": grpc_at}
        click.echo(json.dumps(known) if as_json else _sentence(name, version, host, rest_at, grpc_at))

    server.serve(models, name, rest=rest, host=host, grpc_port=grpc_port, started=started)
    click.echo("Stopped.", err=True)


def _name(out: Path, given: str | None) -> str:
    """Returns the model's name; a folder that is one version is called after the folder that it stands in."""
    if not versions_in(out):
        way_out = "Name a folder that `textseq export` wrote: it holds 1/saved_model.pb"
        raise UsageError(problem(str(out), "holds no exported version", way_out=way_out))
    whole = out.resolve()
    name = given or (whole.parent if is_version(whole) and whole.name.isdigit() else whole).name
    if not name or set(name) & set("/:"):
        raise UsageError(problem("--name", "must be a word without / and :", received=name))
    return name


def _require_packages() -> None:
    missing = [package for package in _NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        way_out = "Install what serving needs: pip install 'textseq[serve]'"
        raise UsageError(problem("textseq serve", f"{', '.join(missing)} is not installed", way_out=way_out))


def _sentence(name: str, version: int | None, host: str, rest_port: int, grpc_port: int) -> str:
    rest, grpc = ports.address(host, rest_port), ports.address(host, grpc_port)
    return (
        f"Serving {name}, version {version}: page http://{rest}/, "
        f"REST http://{rest}/v1/models/{name}:predict, gRPC {grpc}. Ctrl+C stops."
    )
