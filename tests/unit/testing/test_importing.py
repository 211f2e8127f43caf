"""Faults of a plugin's import, planted one at a time: each is named by its check, and listing runs no plugin."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from textseq.plugins import load_plugin
from textseq.testing.importing import FREE, IMPORTS, LIGHT, heavy_imports, load_and_tell

SOUND = """
from textseq.encoder import Encoder
from textseq.registry import encoders

@encoders.register("{name}")
class Own(Encoder):
    '''Gives back what it gets.'''
    def call(self, inputs, mask=None, initial_state=None, return_state=False, training=None):
        return inputs
"""
# name: the source, the check that has to tell, and what it says
PLANTED = {
    "does_not_import": ("import nowhere_to_be_found\n", IMPORTS, r"fault\.py:1: ModuleNotFoundError"),
    "is_no_python": ("def\n", IMPORTS, r"fault\.py:1: SyntaxError"),
    "leaves": ("import sys\nsys.exit('bye')\n", IMPORTS, r"fault\.py:2: SystemExit: bye"),
    "registers_nothing": ("x = 1\n", IMPORTS, r"registers nothing\. Decorate the class"),
    "has_no_call": (SOUND.partition("    def call")[0], IMPORTS, "TypeError: Own: an encoder must define call"),
    "name_is_taken": (SOUND.replace("{name}", "lstm"), FREE, r"'lstm': is defined twice, by textseq_plugins\.lstm"),
    "name_is_no_word": (SOUND.replace("{name}", "my-own"), IMPORTS, "must be letters, digits and '_'"),
    "imports_tensorflow": (
        "try:\n    import tensorflow\nfinally:\n    pass\n" + SOUND,
        LIGHT,
        r":2 imports tensor",
    ),
    "computes_long": ("total = sum(range(1_000_000))\n" + SOUND, LIGHT, "it takes .* s of computing"),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_each_fault_of_an_import_is_named_by_its_check(fault: str, tmp_path: Path) -> None:
    source, check, said = PLANTED[fault]
    path = tmp_path / "fault.py"
    path.write_text(source.replace("{name}", f"own_{fault}"))
    seconds = 0.0 if fault == "computes_long" else 60.0
    findings, _ = load_and_tell(
        partial(load_plugin, path), lambda origins: sorted({origin.file for origin in origins}), seconds=seconds
    )
    (failed,) = [finding for finding in findings if finding.fault]
    assert failed.check == check
    assert re.search(said, failed.fault)


def test_what_functions_and_type_checkers_import_is_light(tmp_path: Path) -> None:
    path = tmp_path / "light.py"
    path.write_text(
        "from typing import TYPE_CHECKING\nimport keras\nif TYPE_CHECKING:\n    import tensorflow\n"
        "def later():\n    import torch\n"
    )
    assert heavy_imports(path) == []
    path.write_text("class Own:\n    from jax import numpy\n")
    assert heavy_imports(path) == ["light.py:2 imports jax at the top: import it where it is used"]


def installed(folder: Path, source: str, *entries: str) -> dict[str, str]:
    """Lays a package into a folder as pip does, and returns the environment that finds it."""
    (folder / "others_module.py").write_text(source)
    about = folder / "others_package-1.2.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: others-package\nVersion: 1.2\n")
    (about / "entry_points.txt").write_text("[textseq.encoders]\n" + "\n".join(entries) + "\n")
    return {**os.environ, "PYTHONPATH": str(folder)}


def listed(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "textseq", "plugins", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


def test_listing_and_showing_run_no_plugin(tmp_path: Path) -> None:
    source = "raise SystemExit('it was imported')\n" + SOUND.replace("{name}", "others")
    environment = installed(tmp_path, source, "others = others_module:Own", "gone = no_such_module:Own")
    done = listed(environment, "list", "--json")
    assert done.returncode == 0, done.stderr
    found = {entry["name"]: entry for entry in json.loads(done.stdout)["encoder"]}
    assert (found["others"]["package"], found["others"]["version"]) == ("others-package", "1.2")
    assert found["others"]["summary"] == "Gives back what it gets."
    assert "there is no module no_such_module" in found["gone"]["cause"]
    shown = listed(environment, "show", "others")
    assert shown.returncode == 0, shown.stderr
    assert "others-package 1.2" in shown.stdout
