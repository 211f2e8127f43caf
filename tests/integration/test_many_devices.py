"""A step by several devices is the step by one, whatever the encoder: what processes share out is one program's."""

from __future__ import annotations

import device_steps
import pytest

from textseq.registry import encoders

ENCODERS = list(encoders.names())


def test_every_encoder_is_looked_at() -> None:
    assert {"rnn", "gru", "lstm", "transformer"} <= set(ENCODERS)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["topics_config", "story_config"])
def test_a_step_by_four_devices_is_the_step_by_one(kind: str, request: pytest.FixtureRequest) -> None:
    settings = ("embedding.dropout=0.1", "data.max_rows=250")
    apart = device_steps.apart(request.getfixturevalue(kind), ENCODERS, settings)
    assert set(apart) == set(ENCODERS)
    assert max(apart.values()) < 1e-4, apart
