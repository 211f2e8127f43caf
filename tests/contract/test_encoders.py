"""Every registered encoder keeps the contract, and an encoder that breaks it is caught by the right check."""

from __future__ import annotations

import re
from typing import Any

import faulty
import faulty_making
import keras
import pytest

from textseq.registry import encoders
from textseq.testing import EncoderFaultError, check_encoder, examine_encoder
from textseq.testing.checks import ENCODER_CHECKS
from textseq.testing.contract import encoder_findings
from textseq.testing.trying import title

NAMES = encoders.names()
_STACKED = {"depth": 2, "residual": True, "layer_norm": True}
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "awd_lstm": [{"hidden": 24, "depth": 3}],
    "cnn": [{"depth": 3, "width": 2}, {"widths": [1, 2], "activation": "tanh"}],
    "mingru": [{**_STACKED, "candidate": "positive"}],
    "minlstm": [{**_STACKED, "candidate": "positive"}],
    "rglru": [{"depth": 2, "feed_forward": 0.0}],
    "sru": [{"depth": 2, "activation": "linear", "layer_norm": True}],
    "rnn": [_STACKED],
    "gru": [_STACKED],
    "lstm": [_STACKED, {"forget_bias": "chrono", "variational": True}],
    "transformer": [
        {"kv_heads": 2, "activation": "swiglu", "norm": "layer"},
        {"context": 3, "depth": 1},
    ],
}
# The rarer ones, each up to a minute on two busy cores, are for `--slow`; on JAX, where each check compiles for
# seconds, the planted faults too, and the encoders that stand on what the others show to work there.
rarely_on_jax = pytest.mark.slow if keras.backend.backend() == "jax" else pytest.mark.common
CHIEF = {"rnn", "gru", "lstm", "transformer", "mingru"}
CASES = [pytest.param(name, {}, id=name, marks=() if name in CHIEF else rarely_on_jax) for name in NAMES]
CASES += [
    pytest.param(name, more, marks=pytest.mark.slow, id=f"{name} {more}")
    for name in NAMES
    for more in VARIANTS.get(name, [])
]
BY_TITLE = {title(check): check for check in ENCODER_CHECKS}


def faults_of(cls: Any, *checks: str) -> list[Any]:
    wanted = [BY_TITLE[name] for name in checks if name in BY_TITLE] if checks else ENCODER_CHECKS
    return [finding for finding in encoder_findings(cls, 16, {}, wanted) if finding.fault]


def test_the_registry_is_what_is_checked() -> None:
    assert {"rnn", "gru", "lstm", "transformer"} <= set(NAMES)
    assert {case.values[0] for case in CASES} == set(NAMES)


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_each_encoder_keeps_the_contract(name: str, arguments: dict[str, Any]) -> None:
    findings = check_encoder(name, **arguments)
    assert len(findings) == 1 + 2 * len(ENCODER_CHECKS)  # whether it is one, then all else, causal and not


def test_a_sound_encoder_passes() -> None:
    assert not faults_of(faulty.Sound)


@rarely_on_jax
@pytest.mark.parametrize("fault", faulty_making.PLANTED, ids=lambda cls: cls.__name__)
def test_each_planted_fault_is_found_by_its_check(fault: Any) -> None:
    wanted = faulty_making.PLANTED[fault]
    assert wanted in {finding.check for finding in faults_of(fault, wanted)}


@pytest.mark.slow
@pytest.mark.parametrize("fault", faulty_making.PLANTED, ids=lambda cls: cls.__name__)
def test_no_check_fails_but_those_that_a_planted_fault_concerns(fault: Any) -> None:
    """A leak must not be told as a lost weight: what makes and keeps weights is blind to how an encoder reads."""
    failing = {finding.check for finding in faults_of(fault)}
    assert faulty_making.PLANTED[fault] in failing
    if fault in faulty.PLANTED and fault not in (faulty.ConfigForgets, faulty.SeedIgnored, faulty.ShapeBakedIn):
        assert not failing & {"the config makes it again", "weights are saved and loaded", "it can be made and called"}


def test_every_check_has_a_fault_that_only_it_was_planted_for() -> None:
    assert len(faulty_making.PLANTED) >= 34
    unplanted = set(BY_TITLE) - set(faulty_making.PLANTED.values())
    assert unplanted == {"weights are saved and loaded"}  # Keras itself refuses what would break it


# JAX knows no gradient that is not there.
_IDLE = "has a gradient of zeros" if keras.backend.backend() == "jax" else "does not reach the outputs"
SMALLEST = {
    faulty.OneTokenLeak: r"^row 0, 2 tokens: token 1 changes output 0 by \d\.\de[+-]\d\d$",
    faulty.PaddingMatters: r"^row 0, 1 token padded to 2: output 0 differs by ",
    faulty.RowsMixed: r"^row 0 of 2, 1 token: beside the others output 0 differs by ",
    faulty.NumberlessPadding: r"^1 × 1, row 0 without a token: output 0 is no finite number$",
    faulty.HalfLeftBackwards: r"^2 tokens, token 0: 8 of 16 units of output 0 do not see it",
    faulty.StateNotCarried: r"^2 tokens read as 1 and 1: output 1 differs by .* from one reading$",
    faulty.StateOfPadding: r"^row 0, 1 token padded to 2: of what follows output 0 differs by ",
    faulty.UnusedWeight: rf"^unused_weight\w*/idle {_IDLE}$",
    faulty.ShapeBakedIn: r"7",
    faulty.ConfigForgets: r"^its config says nothing of causal$",
    faulty_making.WeightMadeLate: r"^ValueError: You cannot add new elements of state",
    faulty_making.NoiseAlways: r"^the same 1 token twice: output 0 differs by ",
    faulty_making.ConfigLosesAnArgument: r"^dropout=0\.25 is None in its config$",
    faulty_making.WeightOutsideTheLayer: r"/scale is not among its weights, so it is neither trained nor saved$",
    faulty_making.StateOfFourRows: r"^a part of the state of 1 rows has the shape \(4, 16\): rows are not first$",
    faulty_making.ArgumentWithoutDefault: r"^depth has no default$",
}


@rarely_on_jax
@pytest.mark.parametrize("fault", SMALLEST, ids=lambda cls: cls.__name__)
def test_the_example_is_the_smallest_there_is(fault: Any) -> None:
    wanted = faulty_making.PLANTED[fault]
    last = [finding for finding in faults_of(fault, wanted) if finding.check == wanted][-1]  # causal, where both fail
    assert re.search(SMALLEST[fault], last.fault), last.fault


def test_the_error_names_the_encoder_and_every_fault() -> None:
    with pytest.raises(EncoderFaultError, match=r"(?s)encoder 'ArgumentWithoutDefault' breaks.*depth has no default"):
        check_encoder(faulty_making.ArgumentWithoutDefault)


def test_what_is_no_encoder_is_told_so_and_no_more() -> None:
    (finding,) = examine_encoder(faulty_making.NoEncoder)
    assert finding.fault == "NoEncoder is no subclass of textseq.encoder.Encoder"
