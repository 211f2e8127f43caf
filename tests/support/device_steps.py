"""Training steps by several devices, each held against the same step by one: rounding has no time to grow.

Run as a program, `device_steps.py CONFIG NAMES SETTING…`, it prints by encoder how far they are apart.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

DEVICES, STEPS = 4, 4
_SETTINGS = ("training.optimizer=sgd", "training.learning_rate=1.0", "training.schedule=constant")  # a step: a gradient
_NOTHING = 1e-3  # a change below which rounding of what changes shows


def apart(config: Path, names: Sequence[str], settings: Sequence[str]) -> dict[str, float]:
    """Returns by encoder the largest difference of a variable after a step, as a fraction of what the step changed.

    Args:
        config: What is trained.
        names: Of the encoders.
        settings: Of the command line.
    """
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", "KERAS_BACKEND": "jax"}
    environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={DEVICES}"
    words = [sys.executable, __file__, str(config), ",".join(names), *settings]
    process = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr[-3000:]
    found: dict[str, float] = json.loads(process.stdout)
    return found


def _apart(path: Path, name: str, settings: Sequence[str]) -> float:
    from textseq.config import load_config
    from textseq.training.trainer import prepare

    encoder = f"encoder={{name: {name}, units: 16, dropout: 0.2}}"
    config = load_config(path, (*_SETTINGS, *settings, encoder))
    task, prepared = prepare(config, lambda line: None)
    alone = _steps(config, task, prepared, None)
    together = _steps(config, task, prepared, [before for before, _ in alone])
    found = [_differences(*one, after) for one, (_, after) in zip(alone, together, strict=True)]
    assert np.shape(found)[0] == STEPS
    return float(np.max(found))


def _differences(before: list[Any], after: list[Any], other: list[Any]) -> list[float]:
    changes = [np.abs(new - old).max() for old, new in zip(before, after, strict=True)]
    assert max(changes) > _NOTHING
    apart = [np.abs(one - two).max() for one, two in zip(after, other, strict=True)]
    return [float(one / max(change, _NOTHING)) for one, change in zip(apart, changes, strict=True)]


def _steps(config: Any, task: Any, prepared: Any, begins: list[list[Any]] | None) -> list[tuple[list[Any], list[Any]]]:
    """Returns all variables before and after each step; `begins` says how each step begins, and asks for devices."""
    import keras

    from textseq.training.processes import RowsApart
    from textseq.training.trainer import build

    keras.backend.clear_session()
    if begins is not None:
        keras.distribution.set_distribution(RowsApart(auto_shard_dataset=False))
    ready = build(config, task, prepared)
    found = []
    for step, (inputs, targets, weights) in enumerate(islice(ready.feed.read(), STEPS)):
        if begins is not None:
            for variable, value in zip(ready.model.variables, begins[step], strict=True):
                variable.assign(value.astype(variable.dtype))
        before = _values(ready.model)
        assert np.isfinite(ready.model.train_on_batch(inputs, targets, weights)).all()
        found.append((before, _values(ready.model)))
        _require_parts(ready.model, DEVICES if begins is not None else 1)
    return found


def _values(model: Any) -> list[np.ndarray]:
    return [np.asarray(variable.value, np.float64) for variable in model.variables]


def _require_parts(model: Any, devices: int) -> None:
    """What is carried lies in parts, each on its device; weights lie whole on every one."""
    carried = getattr(model, "carried", [])
    for variable in model.variables:
        parts = devices if any(variable is one for one in carried) else 1
        piece = variable.value.addressable_shards[0].data.shape
        assert len(variable.value.addressable_shards) == devices, variable.path
        assert np.prod(variable.shape) == np.prod(piece) * parts, variable.path


if __name__ == "__main__":
    print(json.dumps({name: _apart(Path(sys.argv[1]), name, sys.argv[3:]) for name in sys.argv[2].split(",")}))
