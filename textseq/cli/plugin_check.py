"""`textseq plugins check`: the contract of a component, a line a check, and what an encoder costs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from textseq.cli.options import backend_option, begin, plugin_option, silence

if TYPE_CHECKING:
    from textseq.testing.findings import Finding


@click.command("check")
@click.argument("name", required=False)
@plugin_option
@backend_option
@click.option("--units", default=128, show_default=True, type=click.IntRange(2), help="Width for measuring the cost.")
@click.option("--quick", is_flag=True, help="Check only; export nothing and measure no cost.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def check(
    name: str | None, plugins: tuple[str, ...], backend: str | None, units: int, quick: bool, as_json: bool
) -> None:
    """Checks that the component NAME does what textseq relies on; ends with exit code 1 if it does not.

    NAME may be left out where --plugin brings just one.

    Example: textseq plugins check --plugin mine.py
    """
    begin(backend=backend)
    from textseq.testing.examining import Examination

    examination = Examination(name, plugins, units)
    say = silence if as_json else click.echo
    findings: list[Finding] = []
    for _, group in groupby(examination.findings(quick=quick), key=lambda finding: finding.check):
        same = list(group)
        findings += same
        for line in _lines(same):
            say(line)
    failed = sorted({finding.check for finding in findings if finding.fault})
    count = len({finding.check for finding in findings})
    cost = None if quick or failed or examination.kind != "encoder" else examination.cost()
    if as_json:
        click.echo(json.dumps(_record(examination.about(), findings, cost)))
    else:
        say(f"{len(failed)} of {count} checks fail." if failed else f"All {count} checks hold.")
        for line in _cost_lines(cost) if cost else ():
            say(line)
    if failed:
        raise click.exceptions.Exit(1)


def _lines(findings: list[Finding]) -> Iterable[str]:
    """Returns one line for a check; for one that fails, one for each way of an encoder, and what mends it."""
    faults = {finding.fault: finding for finding in findings if finding.fault}
    if not faults:
        return [f"✓ {findings[0].check}"]
    alike = len(faults) == 1 and all(finding.fault for finding in findings)
    lines = [f"✗ {finding.check if alike else finding.name}: {fault}" for fault, finding in faults.items()]
    way_out = next(iter(faults.values())).way_out
    return [*lines, *([f"    → {way_out}."] if way_out else [])]


def _record(about: dict[str, Any], findings: list[Finding], cost: dict[str, Any] | None) -> dict[str, Any]:
    checks = [
        {
            "check": finding.check,
            "causal": finding.causal,
            "fine": finding.fault is None,
            "fault": finding.fault,
            "way_out": finding.way_out,
        }
        for finding in findings
    ]
    return {**about, "fine": all(check["fine"] for check in checks), "checks": checks, "cost": cost}


def _cost_lines(cost: dict[str, Any]) -> Iterable[str]:
    yield f"Cost of training a classifier of {cost['units']} units on {cost['batch']} × {cost['tokens']} tokens:"
    yield f"  {'':<16}{'parameters':>12}{'tokens/s':>12}{'peak memory':>14}"
    for name, one in cost["encoders"].items():
        if "error" in one:
            yield f"  {name:<16}{one['error']}"
            continue
        memory = f"{one['peak_bytes'] / 2**20:,.0f} MB"
        yield f"  {name:<16}{one['parameters']:>12,}{one['tokens_per_second']:>12,}{memory:>14}"
    yield f"XLA: {'compiles' if cost['xla']['fine'] else 'does not compile: ' + cost['xla']['why']}"
    streams = "carries a state, so it generates and serves token by token"
    yield f"Streaming: {streams if cost['streams'] else 'no state, so windows of a language model stand alone'}"
