"""What checks found, and the error that lists the faults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from textseq.errors import TextseqError
from textseq.testing.ways_out import WAYS_OUT


class ContractError(TextseqError, AssertionError):
    """A component breaks its contract; the text has a line for each fault, and one for what mends it."""


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

    @property
    def way_out(self) -> str | None:
        """What usually mends it, without a stop; None where it holds, or where the fault says all."""
        return WAYS_OUT.get(self.check) if self.fault else None


def raise_faults(error: type[ContractError], subject: str, findings: Iterable[Finding]) -> None:
    """Raises `error` if there is a fault.

    Raises:
        ContractError: Names every fault.
    """
    lines = []
    for _, group in groupby(findings, key=lambda finding: finding.check):
        failed = [finding for finding in group if finding.fault]
        lines += [f"  {finding.name}: {finding.fault}" for finding in failed]
        lines += [f"    → {finding.way_out}." for finding in failed[-1:] if finding.way_out]
    if lines:
        raise error(f"{subject} breaks the contract:\n" + "\n".join(lines))
