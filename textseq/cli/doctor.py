"""`textseq doctor`: what will work on this machine and what will not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

_PACKAGES = ("keras", "tensorflow", "tensorflow-text", "datasets", "sentencepiece", "numpy")
_EXTRAS = {
    "jax": "jax",
    "scikit-learn": "baseline",
    "matplotlib": "report",
    "jinja2": "report",
    "tensorflow-serving-api": "serve",
    "uvicorn": "serve",
}
_PROBE = (
    "import json, sys, keras; from textseq.layers.recurrence.cudnn import refusal; "
    "from textseq.layers.native.operations import refusal as loops; "
    "from textseq.layers.native.products import refusal as dense; "
    "from textseq.layers.native.operations import wide_refusal as wide; "
    "from textseq.training.compiling import native_line; "
    "devices = [str(device) for device in keras.distribution.list_devices()] or ['cpu']; "
    "wider = dict.fromkeys(('attention', 'softmax', 'normalisation'), wide()); "
    "line = native_line({'recurrent loops': loops(), **wider, 'dense layers': dense()}); "
    "sys.stdout.write(json.dumps({'devices': devices, 'refusal': refusal('lstm'), 'native': line}))"
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def doctor(as_json: bool) -> None:
    """Looks at versions, backends, devices, the dataset mirror, folders and plugins."""
    checks = [*_versions(), *_backends(), _mirror(), *_folders(), *_components()]
    if as_json:
        click.echo(json.dumps({"checks": checks, "fine": all(check["fine"] for check in checks)}))
    else:
        for check in checks:
            click.echo(f"{'✓' if check['fine'] else '✗'} {check['what']}: {check['found']}")
    if not all(check["fine"] for check in checks if check["needed"]):
        raise click.exceptions.Exit(1)


def _check(what: str, found: str, *, fine: bool = True, needed: bool = True) -> dict[str, Any]:
    return {"what": what, "found": found, "fine": fine, "needed": needed}


def _versions() -> list[dict[str, Any]]:
    checks = [_check("python", platform.python_version(), fine=sys.version_info >= (3, 11))]
    for package in (*_PACKAGES, *_EXTRAS):
        needed = package not in _EXTRAS
        try:
            checks.append(_check(package, importlib.metadata.version(package), needed=needed))
        except importlib.metadata.PackageNotFoundError:
            wanted = package if needed else f"'textseq[{_EXTRAS[package]}]'"
            checks.append(_check(package, f"not installed (pip install {wanted})", fine=False, needed=needed))
    return checks


def _backends() -> list[dict[str, Any]]:
    """Starts each backend in a process of its own, for one process can hold only one."""
    checks = []
    for backend in ("tensorflow", "jax"):
        if importlib.util.find_spec(backend) is None:
            continue
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run([sys.executable, "-c", _PROBE], env=environment, capture_output=True, text=True)
        if done.returncode:
            last = done.stderr.strip().splitlines()[-1:] or ["no answer"]
            checks.append(_check(f"backend {backend}", last[0], fine=False))
            continue
        found = json.loads(done.stdout.strip().splitlines()[-1])
        own = f"recurrence by textseq ({found['refusal']}); {found['native']}"
        recurrence = own if found["refusal"] else "gru and lstm by cuDNN"
        checks.append(_check(f"backend {backend}", f"devices {','.join(found['devices'])}; {recurrence}"))
    return checks


def _mirror() -> dict[str, Any]:
    mirror = os.environ.get("TEXTSEQ_DATASETS_MIRROR")
    if mirror:
        fine = Path(mirror).is_dir()
        return _check("datasets", f"mirror {mirror}" + ("" if fine else ", which is no folder"), fine=fine)
    offline = os.environ.get("HF_HUB_OFFLINE") == "1"
    return _check("datasets", "local files only: HF_HUB_OFFLINE is set" if offline else "from the Hub")


def _folders() -> list[dict[str, Any]]:
    default = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_DATASETS_CACHE", default / "datasets"))
    checks = []
    for what, folder in (("run directories", Path.cwd()), ("datasets' cache", cache)):
        there = next(parent for parent in (folder, *folder.parents) if parent.exists())
        try:
            with tempfile.TemporaryFile(dir=there):
                free = shutil.disk_usage(there).free / 1e9
            checks.append(_check(what, f"{folder} can be written, {free:,.0f} GB free"))
        except OSError as error:
            checks.append(_check(what, f"{folder} cannot be written: {error.strerror}", fine=False))
    return checks


def _components() -> list[dict[str, Any]]:
    from textseq.registry import registries

    checks = []
    for kind, registry in registries.items():
        origins = [registry.origin(name) for name in registry.names()]
        broken = [f"{origin.name} ({origin.cause})" for origin in origins if origin.cause]
        names = ", ".join(origin.name for origin in origins)
        checks.append(_check(f"{kind}s", f"broken: {', '.join(broken)}" if broken else names, fine=not broken))
    return checks
