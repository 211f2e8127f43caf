"""Figures as tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

_DASH = "–"
_VERDICTS = {True: "met", False: "not met", None: "not measured"}


def tables(name: str, figures: Mapping[str, Any]) -> Iterator[Table]:
    """Yields the tables of one workload, as its JSON says it."""
    if "series" in figures:
        yield from (_series(f"{name}: {title}", points) for title, points in figures["series"].items())
    elif "contenders" in figures:
        yield _contenders(name, figures)
    else:
        yield _figures(name, figures)
    if figures.get("targets"):
        yield _targets(figures["targets"])


def _contenders(name: str, figures: Mapping[str, Any]) -> Table:
    unit = figures["unit"]
    table = Table(title=name, title_justify="left")
    table.add_column("")
    for column in (
        "ms a step",
        f"{unit}/s",
        f"× {figures['ratio_to']}",
        "GFLOP/s",
        "of ceiling",
        "peak MB",
        "own MB",
    ):
        table.add_column(column, justify="right")
    for contender, one in figures["contenders"].items():
        if "missing" in one:
            table.add_row(contender, _DASH, one["missing"])
            continue
        table.add_row(
            contender,
            _number(one["milliseconds"], 1 if one["milliseconds"] >= 10 else 2),
            _number(one[f"{unit}_per_second"], 0),
            _number(one["ratio"], 2),
            _number(one["gigaflops_per_second"], 0),
            _percent(one["share_of_ceiling"]),
            _number(one["peak_megabytes"], 0),
            _number(one["growth_megabytes"], 0),
        )
    return table


def _figures(name: str, figures: Mapping[str, Any]) -> Table:
    table = Table(title=name, title_justify="left")
    for column in ("figure", "value", "unit"):
        table.add_column(column, justify="left" if column != "value" else "right")
    for figure, one in figures["figures"].items():
        value = one["value"]
        table.add_row(figure, _number(value, 0 if value >= 1000 else 3), one["unit"])
    return table


def _series(title: str, points: list[dict[str, Any]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for column in ("size", "ms a step or batch", "tokens/s", "MB"):
        table.add_column(column, justify="right")
    for one in points:
        numbers = (_number(one["milliseconds"], 2), _number(one["speed"], 0), _number(one["megabytes"], 0))
        table.add_row(one["who"], f"{one['size']:,}", *numbers)
    return table


def _targets(targets: list[dict[str, Any]]) -> Table:
    table = Table("target", "measured", "", show_edge=False)
    for one in targets:
        colour = {True: "green", False: "red", None: "dim"}[one["met"]]
        table.add_row(one["target"], _number(one["value"], 2), f"[{colour}]{_VERDICTS[one['met']]}[/{colour}]")
    return table


def _number(value: float | None, digits: int) -> str:
    return _DASH if value is None else f"{value:,.{digits}f}"


def _percent(value: float | None) -> str:
    return _DASH if value is None else f"{value:.0%}"
