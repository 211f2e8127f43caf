"""Checks of how an encoder is made: its arguments, its config, its weights."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from textseq.errors import TextseqError
from textseq.signatures import Argument, inspect_class
from textseq.testing.arguments import plain_and_documented
from textseq.testing.comparing import Fault, difference, refute, require, same
from textseq.testing.subject import Holder, Subject, variables_made


def arguments_are_plain_and_documented(subject: Subject, causal: bool) -> None:
    """The signature is the schema of configs, so it has to tell all."""
    arguments = inspect_class(subject.cls).arguments
    named = arguments[0].name if arguments else "none"
    require(named == "units", f"the constructor's first argument is {named}, not units")
    require(any(argument.name == "causal" for argument in arguments), "the constructor takes no causal")
    plain_and_documented(subject.cls, arguments)


def it_can_be_made_and_called(subject: Subject, causal: bool) -> None:
    """Nothing else can be tried before."""
    subject.make(causal)


def weights_are_made_with_the_first_call(subject: Subject, causal: bool) -> None:
    """What comes later is neither in a fresh model that weights are loaded into, nor in the optimizer."""
    with variables_made() as first:
        encoder = subject.unbuilt(causal)
        encoder(subject.inputs)
    held = {id(variable) for variable in encoder.variables}
    lost = [variable.path for variable in first if variable.trainable and id(variable) not in held]
    require(not lost, f"{', '.join(lost)} is not among its weights, so it is neither trained nor saved")
    with variables_made() as later:
        encoder(subject.inputs, mask=subject.mask)
        encoder(subject.inputs[:2], mask=subject.mask[:2], training=True)
        if (state := subject.state(encoder)) is not None:
            encoder(subject.inputs, initial_state=state, return_state=True)
    late = [variable.path for variable in later]
    require(not late, f"a later call makes {', '.join(late)}: make every weight in build")


def the_config_makes_it_again(subject: Subject, causal: bool) -> None:
    """A run directory holds a config and weights, and no more."""
    encoder = subject.made(causal)
    config = encoder.get_config()
    _require_json(config)
    asked = {"units": subject.units, "causal": causal, **subject.arguments}
    lost = [name for name in asked if name not in config]
    require(not lost, f"its config says nothing of {', '.join(lost)}")
    again = subject.cls.from_config(config)
    for name, wanted in asked.items():
        found = again.get_config().get(name)
        require(found == wanted, f"{name} is {found!r} afterwards, before it was {wanted!r}")
    again(subject.inputs)
    before = [tuple(weight.shape) for weight in encoder.weights]
    after = [tuple(weight.shape) for weight in again.weights]
    require(before == after, f"its weights are {after}, before they were {before}")
    again.set_weights(encoder.get_weights())
    same(again(subject.inputs), encoder(subject.inputs), "its outputs differ")
    for argument in inspect_class(subject.cls).arguments:
        if (value := _another(argument)) is not None:
            _keeps(subject, causal, argument.name, value)


def weights_are_saved_and_loaded(subject: Subject, causal: bool) -> None:
    """Through the file that a run keeps."""
    first, second = Holder(subject.make(causal)), Holder(subject.make(causal, seed=1))
    first(subject.inputs), second(subject.inputs)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "encoder.weights.h5")
        first.save_weights(path)
        second.load_weights(path)
    found = difference(second(subject.inputs), first(subject.inputs))
    cases = (
        lambda one=one, other=other: (
            f"{one.path} is another after loading" if difference(one, other, 0.0) is not None else None
        )
        for one, other in zip(second.weights, first.weights, strict=True)
    )
    refute(found and f"after loading its weights {found}", cases)


def the_seed_decides_the_weights(subject: Subject, causal: bool) -> None:
    """The same seed, the same weights, or no run can be repeated."""
    first, second = (subject.make(causal, seed=3, stirred=False) for _ in range(2))
    for one, other in zip(first.weights, second.weights, strict=True):
        found = difference(one, other, tolerance=0.0)
        require(found is None, f"{one.path} differs between two of one seed")


def _require_json(config: dict[str, Any]) -> None:
    for name, value in config.items():
        try:
            json.dumps(value)
        except TypeError as error:
            raise Fault(f"its config's {name} cannot be written as JSON: {error}") from error


def _keeps(subject: Subject, causal: bool, name: str, value: Any) -> None:
    """Requires a value that is not the default to be in the config; one that the encoder refuses is left."""
    try:
        made = subject.unbuilt(causal, **{name: value})
    except (TextseqError, ValueError):
        return
    found = made.get_config().get(name)
    require(found == value, f"{name}={value!r} is {found!r} in its config")


def _another(argument: Argument) -> Any:
    """Returns a value for an argument that is not its default; None where none is known."""
    default = argument.default
    if argument.name in ("units", "causal"):
        return None
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        return default / 2 + 0.25
    others = [word for word in re.findall(r"['\"]([^'\"]+)['\"]", argument.annotation) if word != default]
    return others[0] if others else None
