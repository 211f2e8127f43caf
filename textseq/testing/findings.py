"""What checks found, and the error that lists the faults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from textseq.errors import TextseqError


class ContractError(TextseqError, AssertionError):
    """A component breaks its contract; the text has a line for each fault."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: What has to hold, such as "padding changes nothing".
        fault: What was seen instead, with the smallest example found; None where it holds.
        causal: How the encoder was made; None where that makes no difference.
    """

    check: str
    fault: str | None = None
    causal: bool | None = None

    @property
    def name(self) -> str:
        """The check, and how the encoder was made."""
        return self.check if self.causal is None else f"{self.check} (causal={str(self.causal).lower()})"


def raise_faults(error: type[ContractError], subject: str, findings: Iterable[Finding]) -> None:
    """Raises `error` if there is a fault.

    Raises:
        ContractError: Names every fault.
    """
    faults = [f"  {finding.name}: {finding.fault}" for finding in findings if finding.fault]
    if faults:
        raise error(f"{subject} breaks the contract:\n" + "\n".join(faults))
