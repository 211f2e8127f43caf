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
from textseq.cli import main
main(sys.argv[1:])
"""


def run(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("encoder", ["lstm", pytest.param("transformer", marks=pytest.mark.slow)])
def test_classification_on_jax(encoder: str, topics_config: Path, tmp_path: Path) -> None:
    there = str(tmp_path / "run")
    run(
        "train",
        str(topics_config),
        "--run-dir",
        there,
        "--backend",
        "jax",
        "--set",
        f"encoder.name={encoder}",
        "--quiet",
    )
    assert json.loads(run("evaluate", there, "--backend", "jax", "--json"))["accuracy"] >= 0.9
    assert json.loads(run("predict", there, "a cat", "--backend", "jax", "--json"))["label"] == "animal"


def test_language_modelling_on_jax(story_config: Path, tmp_path: Path) -> None:
    there = str(tmp_path / "run")
    run("train", str(story_config), "--run-dir", there, "--backend", "jax", "--quiet")
    assert json.loads(run("evaluate", there, "--backend", "jax", "--json"))["bits_per_byte"] < 2.0
    assert json.loads(run("generate", there, "--prompt", "the", "--backend", "jax", "--json"))["text"]
