"""Which encoders a probe looks at, told by signatures and never by names."""

from __future__ import annotations

from typing import Any

import pytest

from textseq.errors import ConfigError, UsageError
from textseq.probing.variants import variants
from textseq.registry import encoders


def test_none_asked_for_stands_for_all_that_are_registered() -> None:
    found = {variant.name for variant in variants([], units=8, length=50)}
    assert found == set(encoders.names())
    assert len(found) >= 4


def test_an_encoder_that_can_begin_in_several_ways_is_probed_in_each() -> None:
    found = variants(["lstm"], units=8, length=50)
    assert {variant.arguments["forget_bias"] for variant in found} == {"one", "zero", "chrono"}
    assert all(variant.arguments["chrono_length"] == 50 for variant in found)
    assert len({variant.label for variant in found}) == 3


def test_what_the_user_wrote_stays() -> None:
    (found,) = variants(["{name: lstm, forget_bias: chrono, chrono_length: 7, units: 6}"], units=8, length=50)
    assert found.arguments == {"units": 6, "causal": True, "forget_bias": "chrono", "chrono_length": 7}
    assert found.label == "lstm, forget_bias chrono, chrono_length 7, units 6"


def test_it_is_the_signature_that_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stranger:
        """A stranger.

        Args:
            units: Width.
            causal: Of course.
            forget_bias: How it begins.
        """

        def __init__(self, units: int, *, causal: bool = False, forget_bias: Any = "low") -> None:
            pass

    Stranger.__init__.__annotations__["forget_bias"] = "Literal['low', 'high']"
    monkeypatch.setitem(encoders._classes, "stranger", Stranger)
    found = variants(["stranger"], units=8, length=50)
    assert [variant.arguments["forget_bias"] for variant in found] == ["low", "high"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lsmt", "Unknown encoder 'lsmt'. Did you mean 'lstm'?"),
        ("{name: lstm, depht: 2}", "depht: is no argument of encoder 'lstm'. Did you mean 'depth'?"),
        ("{name: lstm, forget_bias: two}", "must be one of one, zero, chrono"),
        ("{name: lstm, units: 0}", "units: must be at least 1"),
        ("{depth: 2}", "has no name"),
    ],
)
def test_a_wrong_encoder_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        variants([text], units=8, length=50)
    assert sentence in str(caught.value)


def test_what_is_no_yaml_is_one_sentence() -> None:
    with pytest.raises(UsageError, match="is no valid YAML"):
        variants(["{name: lstm"], units=8, length=50)
