"""JAX alone: a process in which TensorFlow cannot be imported trains, evaluates, predicts and generates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BLOCKED = """
import sys

import importlib.util

def is_blocked(name):
    return name.split(".")[0] in ("tensorflow", "tensorflow_text")

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if is_blocked(name):
            raise ModuleNotFoundError("blocked: " + name)

find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if is_blocked(name) else find(name, package)
sys.meta_path.insert(0, Blocker())
import json
from textseq.cli import main
for arguments in json.loads(sys.argv[1]):
    try:
        main([*arguments, "--backend", "jax"])
    except SystemExit as ended:
        if ended.code:
            raise
"""


def run(*commands: list[str]) -> list[str]:
    """Runs one command after the other and returns the lines that they printed."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, json.dumps(commands)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("encoder", ["lstm", pytest.param("transformer", marks=pytest.mark.slow)])
def test_classification_on_jax(encoder: str, topics_config: Path, tmp_path: Path) -> None:
    there = str(tmp_path / "run")
    scores, answer = run(
        ["train", str(topics_config), "--run-dir", there, "--set", f"encoder.name={encoder}", "--quiet"],
        ["evaluate", there, "--json"],
        ["predict", there, "a cat", "--json"],
    )[-2:]
    assert json.loads(scores)["accuracy"] >= 0.9
    assert json.loads(answer)["label"] == "animal"


def test_language_modelling_on_jax(story_config: Path, tmp_path: Path) -> None:
    there = str(tmp_path / "run")
    scores, answer = run(
        ["train", str(story_config), "--run-dir", there, "--quiet"],
        ["evaluate", there, "--json"],
        ["generate", there, "--prompt", "the", "--json"],
    )[-2:]
    assert json.loads(scores)["bits_per_byte"] < 2.0
    assert json.loads(answer)["text"]
