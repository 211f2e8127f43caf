"""Every registered encoder keeps the contract, and an encoder that breaks it is caught."""

from __future__ import annotations

from typing import Any

import faulty
import keras
import pytest

from textseq.registry import encoders
from textseq.testing import EncoderFaultError, check_encoder, examine_encoder

NAMES = encoders.names()
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "rnn": [{"depth": 2, "residual": True, "layer_norm": True}],
    "gru": [{"depth": 2, "residual": True, "layer_norm": True}],
    "lstm": [{"depth": 2, "residual": True, "layer_norm": True}, {"forget_bias": "chrono", "variational": True}],
    "transformer": [
        {"kv_heads": 2, "activation": "swiglu", "norm": "layer"},
        {"context": 3, "depth": 1},
    ],
}
# The rarer ones, each up to a minute on two busy cores, are for `--slow`; on JAX, where each check compiles for
# seconds, the planted faults too.
rarely_on_jax = pytest.mark.slow if keras.backend.backend() == "jax" else pytest.mark.common
CASES = [pytest.param(name, {}, id=name) for name in NAMES]
CASES += [
    pytest.param(name, more, marks=pytest.mark.slow, id=f"{name} {more}")
    for name in NAMES
    for more in VARIANTS.get(name, [])
]


def test_the_registry_is_what_is_checked() -> None:
    assert {"rnn", "gru", "lstm", "transformer"} <= set(NAMES)
    assert {case.values[0] for case in CASES} == set(NAMES)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_each_encoder_keeps_the_contract(name: str, arguments: dict[str, Any]) -> None:
    findings = check_encoder(name, **arguments)
    assert len(findings) >= 32  # sixteen checks, causal and not


def test_a_sound_encoder_passes() -> None:
    assert not [finding for finding in examine_encoder(faulty.Sound) if finding.fault]


@rarely_on_jax
@pytest.mark.parametrize("fault", faulty.PLANTED, ids=lambda cls: cls.__name__)
def test_each_planted_fault_is_found_by_its_check(fault: Any) -> None:
    faults = [finding for finding in examine_encoder(fault) if finding.fault]
    assert faulty.PLANTED[fault] in {finding.check.partition(" (")[0] for finding in faults}


def test_the_error_names_the_encoder_and_every_fault() -> None:
    with pytest.raises(
        EncoderFaultError, match=r"(?s)encoder 'StateNotCarried' breaks.*the state is carried \(causal=true\)"
    ):
        check_encoder(faulty.StateNotCarried)
