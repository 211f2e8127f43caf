"""`check_encoder`: whether an encoder keeps the contract that the toolkit relies on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from textseq.encoder import Encoder
from textseq.registry import encoders
from textseq.testing.checks import ENCODER_CHECKS, FIRST, Check, quickly
from textseq.testing.findings import ContractError, Finding, raise_faults
from textseq.testing.subject import Subject
from textseq.testing.trying import tried

_BASE = "it is an encoder"


class EncoderFaultError(ContractError):
    """An encoder breaks the contract; the text has a line for each fault."""


def check_encoder(encoder: str | type[Encoder], units: int = 16, **arguments: Any) -> list[Finding]:
    """Checks that an encoder does what the toolkit relies on.

    Args:
        encoder: A registered name, or a class.
        units: Width to make it with.
        **arguments: More of its constructor's arguments; `causal` is tried both ways.

    Returns:
        What was checked.

    Raises:
        EncoderFaultError: Something does not hold; names every fault, each with the smallest example found.
    """
    findings = examine_encoder(encoder, units, **arguments)
    name = encoder if isinstance(encoder, str) else encoder.__name__
    raise_faults(EncoderFaultError, f"encoder '{name}'", findings)
    return findings


def examine_encoder(encoder: str | type[Encoder], units: int = 16, **arguments: Any) -> list[Finding]:
    """Runs every check of `check_encoder` and returns what each found, faults included."""
    return list(encoder_findings(encoders.get(encoder) if isinstance(encoder, str) else encoder, units, arguments))


def encoder_findings(
    cls: Any, units: int, arguments: dict[str, Any], checks: Iterable[Check] = ENCODER_CHECKS
) -> Iterator[Finding]:
    """Yields what each check finds, as it ends: without causal and with it.

    Args:
        cls: The class; one that is no `Encoder` is told so, and no more.
        units: Width to make it with.
        arguments: More of its constructor's arguments.
        checks: Which to run.
    """
    if not (isinstance(cls, type) and issubclass(cls, Encoder)):
        yield Finding(_BASE, f"{getattr(cls, '__qualname__', cls)} is no subclass of textseq.encoder.Encoder")
        return
    yield Finding(_BASE)
    subject = Subject(cls, units, arguments)
    for check in checks:
        found = [tried(check, subject, causal, causal=causal, around=quickly(check)) for causal in (False, True)]
        yield from found
        if check is FIRST and any(finding.fault for finding in found):
            return
