"""The same config and seed, twice, in processes of their own: the same weights to the last bit."""

from __future__ import annotations

from pathlib import Path

import pytest
from killed_runs import differing, forks, what_a_run_ends_with

from textseq.registry import encoders

ENCODERS = list(encoders.names())
SHORT = ("training.epochs=1", "training.steps_per_epoch=6", "training.log_every=1", "embedding.dropout=0.1")


def test_every_encoder_is_looked_at() -> None:
    assert {"rnn", "gru", "lstm", "transformer"} <= set(ENCODERS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["topics_config", "story_config"])
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_the_same_config_twice_gives_the_same_weights(
    backend: str, kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    settings = [part for setting in SHORT for part in ("--set", setting)]
    command = ["train", request.getfixturevalue(kind), *settings, "--quiet", "--json", "--no-report"]
    unequal = {}
    with forks(tmp_path, backend) as train:
        for name in ENCODERS:
            runs = [tmp_path / f"{name}-{number}" for number in range(2)]
            for run in runs:
                encoder = f"encoder={{name: {name}, units: 16, dropout: 0.2}}"
                assert train(*command, "--set", encoder, "--run-dir", run) == 0, train.log
            unequal[name] = differing(*map(what_a_run_ends_with, runs))
    assert unequal == {name: [] for name in ENCODERS}
