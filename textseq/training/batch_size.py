"""`training.batch_size: auto`: the largest batch that fits a budget of memory, found by trial in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from textseq.config import RunConfig
from textseq.config.sizes import in_bytes, in_words
from textseq.errors import RunFailedError, UsageError, problem
from textseq.training.memory import accelerator_bytes, free_bytes

_SHARE = 0.5  # of the free memory, where no budget is set
_COARSE = [4**power for power in range(9)]  # what lies between two of these is tried at the end


def resolved(
    config: RunConfig, say: Callable[[str], None], *, plugins: Sequence[str] = (), processes: int = 1
) -> RunConfig:
    """Returns the config with a number in the place of `auto`; any other unchanged.

    Args:
        config: The run's.
        say: Takes lines for the user.
        plugins: Files that the user named, which the trials need too.
        processes: Which share a batch, each with the budget for itself.

    Raises:
        UsageError: Not even one row fits, or the model will lie on an accelerator.
        RunFailedError: The trials fail for another reason.
    """
    if config.training.batch_size != "auto":
        return config
    if accelerator_bytes() is not None:
        wrong = "measures the memory of processes, and this model will lie on an accelerator"
        raise UsageError(problem("training.batch_size", wrong, received="auto", way_out="Name a number"))
    wanted = config.training.memory_budget
    budget = in_bytes(wanted) if wanted else round(_SHARE * free_bytes())
    share = "training.memory_budget" if wanted else "half of the free memory"
    say(f"Trying batches in {in_words(budget)}, {share}")
    rows, taken = _largest(config, budget, plugins)
    of_all = f" in each of {processes} processes" if processes > 1 else ""
    say(f"training.batch_size: {rows * processes}, for {rows} rows{of_all} take {in_words(taken)}")
    return replace(config, training=replace(config.training, batch_size=rows * processes))


@dataclass(frozen=True)
class _Trials:
    """What trials of growing size said.

    Attributes:
        fits: Rows and bytes of those that kept to the budget.
        over: Bytes of the first that did not; None where all did.
    """

    fits: list[tuple[int, int]]
    over: int | None


def _largest(config: RunConfig, budget: int, plugins: Sequence[str]) -> tuple[int, int]:
    """Returns rows and bytes: found in large steps, then among what lies between the last that fits and the next."""
    coarse = _tried(config, budget, _COARSE, plugins)
    if not coarse.fits:
        raise UsageError(_nothing_fits(config, budget, coarse.over or budget))
    best = coarse.fits[-1][0]
    between = sorted({best * 3 // 2, best * 2, best * 3} - {best})
    return (coarse.fits + _tried(config, budget, between, plugins).fits)[-1]


def _tried(config: RunConfig, budget: int, sizes: list[int], plugins: Sequence[str]) -> _Trials:
    asked = {"budget": budget, "rows": sizes, "plugins": list(plugins)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        path.write_text(config.to_yaml(), encoding="utf-8")
        command = [sys.executable, "-m", "textseq.training.batch_trial", str(path), json.dumps(asked)]
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    answers: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    last = answers[-1] if answers else {}
    if "refused" in last:
        raise UsageError(last["refused"])
    killed = done.returncode < 0  # by a system whose memory was at its end
    if done.returncode > 0:
        said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1][:300]
        raise RunFailedError(problem("training.batch_size", f"the trials failed: {said}", received="auto"))
    fits = [(answer["rows"], answer["bytes"]) for answer in answers if "rows" in answer]
    return _Trials(fits, budget if killed else last.get("over"))


def _nothing_fits(config: RunConfig, budget: int, taken: int) -> str:
    wanted = config.training.memory_budget
    wrong = f"a batch of one row takes {in_words(taken)} or more, and {in_words(budget)} are allowed"
    way_out = "Allow more, or take a smaller model, task.max_length or task.window"
    return problem("training.memory_budget", wrong, received=wanted, way_out=way_out)
