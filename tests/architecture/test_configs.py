"""The configs that come with the toolkit are sound, and their heads say what they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from textseq.config import load_config

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
MEASURED = [path for path in CONFIGS if path.parent.name != "quickstart"]


def test_there_is_one_for_every_dataset_of_the_design() -> None:
    names = {path.stem.partition("-")[0] for path in MEASURED}
    assert {"sst2", "trec", "clinc", "snips", "asdc", "imdb", "wikitext2", "shakespeare", "jaquad"} <= names


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_each_config_is_sound(path: Path) -> None:
    config = load_config(path)
    assert config.name == (path.stem if path in MEASURED else "quickstart")


@pytest.mark.parametrize("path", MEASURED, ids=lambda path: path.stem)
def test_each_head_says_what_it_is_how_to_run_it_and_what_was_measured(path: Path) -> None:
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    assert head[0].startswith(f"# {path.stem}: ")
    command = f"# Command: textseq train {path.relative_to(ROOT)} --run-dir runs/{path.stem}"
    assert command in head
    assert any(re.match(r"# Measured: .*\.$", line) for line in head)


def test_promises_can_be_read_by_the_script_that_keeps_them() -> None:
    promised = [line for path in MEASURED for line in path.read_text().splitlines() if line.startswith("# Expected:")]
    assert len(promised) >= 9
    for line in promised:
        assert re.fullmatch(r"# Expected: (test|validation) (accuracy|loss|perplexity) (>=|<=) \d+(\.\d+)?\.", line)
