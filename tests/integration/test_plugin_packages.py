"""Encoders, tokenizers and tasks of one's own as packages: written, installed by pip, found, checked by their tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from textseq.registry import registries
from textseq.scaffold.writing import write_package

pytestmark = pytest.mark.slow
INSTALL = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")


def python(*arguments: str | Path, **environment: str) -> str:
    """Runs this Python elsewhere, as a user would."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=1800,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.mark.parametrize("kind", list(registries))
def test_a_package_is_installed_found_and_passes_its_own_test(kind: str, tmp_path: Path) -> None:
    name, folder, site = f"packaged_{kind}", tmp_path / "made", tmp_path / "site"
    write_package(name, folder, kind)
    assert name not in python("-m", "textseq", "plugins", "list")
    python(*INSTALL, "--target", site, folder)
    found = json.loads(python("-m", "textseq", "plugins", "list", "--json", PYTHONPATH=str(site)))
    (entry,) = [entry for entry in found[kind] if entry["name"] == name]
    assert (entry["package"], entry["version"]) == (f"textseq-packaged-{kind}", "0.1.0")
    assert entry["cause"] is None
    assert entry["file"] == str(site / f"textseq_{name}.py")
    passed = python("-m", "pytest", "-q", folder, "--rootdir", folder, "-c", folder / "pyproject.toml")
    assert " passed" in passed
    checked = json.loads(python("-m", "textseq", "plugins", "check", name, "--quick", "--json", PYTHONPATH=str(site)))
    assert checked["fine"]
    assert (checked["kind"], checked["package"]) == (kind, f"textseq-packaged-{kind}")


def test_a_run_with_a_packages_encoder_tells_what_to_install_where_it_is_gone(tmp_path: Path) -> None:
    folder, site, run = tmp_path / "made", tmp_path / "site", tmp_path / "run"
    write_package("packaged", folder)
    python(*INSTALL, "--target", site, folder)
    config = ("train", folder / "config.yaml", "--set", "training.epochs=1", "--no-report", "--quiet")
    python("-m", "textseq", *config, "--run-dir", run, PYTHONPATH=str(site))
    assert not (run / "plugins").exists()  # an installed one is not copied
    ask = [sys.executable, "-m", "textseq", "predict", str(run), "not bad but good"]
    refused = subprocess.run(ask, capture_output=True, text=True, check=False, timeout=600)
    assert refused.returncode == 2
    assert "Install it: pip install textseq-packaged==0.1.0." in refused.stderr
