"""`check_encoder`: whether an encoder keeps the contract that the toolkit relies on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from textseq.encoder import Encoder
from textseq.errors import TextseqError, UsageError
from textseq.registry import encoders
from textseq.testing.checks import ENCODER_CHECKS, quickly
from textseq.testing.comparing import Fault
from textseq.testing.subject import Subject


class EncoderFaultError(TextseqError, AssertionError):
    """An encoder breaks the contract; the text has a line for each fault."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: What has to hold, such as "padding changes nothing".
        fault: What was seen instead; None where it holds.
    """

    check: str
    fault: str | None = None


def check_encoder(encoder: str | type[Encoder], units: int = 16, **arguments: Any) -> list[Finding]:
    """Checks that an encoder does what the toolkit relies on.

    Args:
        encoder: A registered name, or a class.
        units: Width to make it with.
        **arguments: More of its constructor's arguments; `causal` is tried both ways.

    Returns:
        What was checked.

    Raises:
        EncoderFaultError: Something does not hold; names every fault.
    """
    findings = examine_encoder(encoder, units, **arguments)
    faults = [f"  {finding.check}: {finding.fault}" for finding in findings if finding.fault]
    if faults:
        name = encoder if isinstance(encoder, str) else encoder.__name__
        raise EncoderFaultError(f"encoder '{name}' breaks the contract:\n" + "\n".join(faults))
    return findings


def examine_encoder(encoder: str | type[Encoder], units: int = 16, **arguments: Any) -> list[Finding]:
    """Runs every check of `check_encoder` and returns what each found, faults included."""
    subject = Subject(encoders.get(encoder) if isinstance(encoder, str) else encoder, units, arguments)
    findings = []
    for check in ENCODER_CHECKS:
        for causal in (False, True):
            name = f"{_title(check)} (causal={str(causal).lower()})"
            try:
                with quickly(check):
                    check(subject, causal)
            except Fault as fault:
                findings.append(Finding(name, str(fault)))
            except UsageError as error:
                findings.append(Finding(name, f"refused: {error}"))
            except Exception as error:
                findings.append(Finding(name, f"{type(error).__name__}: {str(error).splitlines()[0]}"))
            else:
                findings.append(Finding(name))
    return findings


def _title(check: Any) -> str:
    return check.__name__.strip("_").replace("_", " ")
