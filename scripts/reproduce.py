"""Trains the shipped configs again, over some seeds, and sets what comes out beside what their heads promise.

    python scripts/reproduce.py                                   every config, one seed
    python scripts/reproduce.py sst2-lstm trec-lstm --seeds 3     two of them, mean of three seeds
    python scripts/reproduce.py --encoders --seeds 3              a table of every encoder; goes on where it was ended
    python scripts/reproduce.py --encoders lstm mingru --seconds 600

A config's head says `# Expected: test accuracy >= 0.81`; a result short of it makes the exit code 1.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder_table import EncoderTable

ROOT = Path(__file__).resolve().parents[1]
_EXPECTED = re.compile(r"^# Expected: (?P<split>\w+) (?P<score>\w+) (?P<sign>>=|<=) (?P<bound>\d+\.?\d*)", re.MULTILINE)


@dataclass(frozen=True)
class Expectation:
    """What a config's head promises of one score."""

    split: str
    score: str
    at_least: bool
    bound: float

    @classmethod
    def read(cls, config: Path) -> Expectation | None:
        """Returns the promise in a config's head; None where there is none."""
        found = _EXPECTED.search(config.read_text(encoding="utf-8"))
        if found is None:
            return None
        return cls(found["split"], found["score"], found["sign"] == ">=", float(found["bound"]))

    def met_by(self, value: float) -> bool:
        """Whether a value keeps the promise."""
        return value >= self.bound if self.at_least else value <= self.bound

    def __str__(self) -> str:
        """Returns it as the head has it."""
        return f"{self.split} {self.score} {'>=' if self.at_least else '<='} {self.bound:g}"


def main() -> int:
    """Trains, prints a table and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="configs by name; all where none is given")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each, from seed 0 on")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "reproduce", help="folder of the run directories")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="A.B=C")
    parser.add_argument("--baseline", action="store_true", help="train the linear baseline beside it")
    parser.add_argument("--encoders", nargs="*", metavar="NAME", help="the table of encoders: these, or all")
    parser.add_argument("--seconds", type=float, default=900.0, help="training steps of each language model in it")
    options = parser.parse_args()
    if options.encoders is not None:
        return _table(options)
    kept = True
    for config in _configs(options.names):
        expectation = Expectation.read(config)
        runs = [_train(config, seed, options.runs, options.overrides) for seed in range(options.seeds)]
        kept &= _tell(config, expectation, runs, _baseline(config) if options.baseline else None)
    return 0 if kept else 1


def _table(options: argparse.Namespace) -> int:
    from textseq.registry import encoders

    unknown = sorted(set(options.encoders) - set(encoders.names()))
    if unknown:
        sys.exit(f"No encoder named {', '.join(unknown)}. There are: {', '.join(encoders.names())}.")
    table = EncoderTable(options.runs, _attempt, options.seconds, options.overrides)
    whole = table.fill(options.encoders or encoders.names(), options.seeds)
    sys.stdout.write(table.write())
    return 0 if whole else 1


def _configs(names: Sequence[str]) -> list[Path]:
    known = {path.stem: path for folder in ("classification", "language_modeling") for path in _in(folder)}
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"No config named {', '.join(unknown)}. There are: {', '.join(sorted(known))}.")
    return [known[name] for name in names or known]


def _in(folder: str) -> list[Path]:
    return sorted((ROOT / "configs" / folder).glob("*.yaml"))


def _train(config: Path, seed: int, runs: Path, overrides: Sequence[str]) -> dict[str, Any]:
    began = time.perf_counter()
    run = runs / f"{config.stem}-{seed}"
    more = [part for override in overrides for part in ("--set", override)]
    found = _textseq("train", config, "--run-dir", run, "--overwrite", "--set", f"seed={seed}", *more)
    return found | {"seed": seed, "wall": time.perf_counter() - began}


def _baseline(config: Path) -> dict[str, Any] | None:
    return _textseq("baseline", config) if config.parent.name == "classification" else None


def _textseq(*arguments: object) -> dict[str, Any]:
    found = _attempt(*arguments)
    if found is None:
        sys.exit(f"textseq {' '.join(map(str, arguments))} failed.")
    return found


def _attempt(*arguments: object) -> dict[str, Any] | None:
    command = [sys.executable, "-m", "textseq", *map(str, arguments), "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return None if done.returncode else json.loads(done.stdout)


def _tell(
    config: Path, expectation: Expectation | None, runs: list[dict[str, Any]], baseline: dict[str, Any] | None
) -> bool:
    score = expectation.score if expectation else "loss"
    split = expectation.split if expectation else "validation"
    values = [run[split][score] for run in runs]
    mean = statistics.mean(values)
    kept = expectation is None or expectation.met_by(mean)
    line = {
        "config": config.stem,
        "score": f"{split} {score}",
        "mean": round(mean, 4),
        "values": [round(value, 4) for value in values],
        "training_seconds": [run["training"]["seconds"] for run in runs],
        "wall_seconds": [round(run["wall"], 1) for run in runs],
        "best_epochs": [run["training"]["best_epoch"] for run in runs],
        "expected": str(expectation) if expectation else None,
        "kept": kept,
    }
    if baseline is not None:
        line["baseline"] = round(baseline.get("test", baseline).get("accuracy", float("nan")), 4)
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    return kept


if __name__ == "__main__":
    sys.exit(main())
