"""Curves drawn with characters."""

from __future__ import annotations

import click

from textseq.cli.plotting import Drawn, plot


def field(text: str) -> list[str]:
    return [line.partition("│")[2] for line in click.unstyle(text).splitlines() if "│" in line]


def test_a_constant_factor_is_a_straight_line_from_corner_to_corner() -> None:
    rows = field(plot([Drawn("a", range(31), [10.0**-n for n in range(31)])], across="steps", least=1e-30, width=31))
    marks = [(row, column) for row, line in enumerate(rows) for column, mark in enumerate(line) if mark == "●"]
    assert (0, 0) in marks
    assert (len(rows) - 1, 30) in marks
    assert all(abs(row - column / 30 * (len(rows) - 1)) <= 0.5 for row, column in marks)
    assert len(marks) == 31


def test_points_far_apart_are_joined() -> None:
    rows = field(plot([Drawn("a", [0, 100], [1.0, 1e-4])], across="steps", least=1e-9, width=40))
    assert all(any(line[column] == "●" for line in rows) for column in range(40))


def test_what_lies_below_the_least_is_not_drawn() -> None:
    rows = field(plot([Drawn("a", [0, 1, 2], [1.0, 1e-3, 0.0])], across="steps", least=1e-6, width=21))
    assert all(line[15:] == " " * 6 for line in rows)
    assert field(plot([Drawn("a", [0, 1], [0.0, 0.0])], across="steps", least=1e-6))


def test_each_curve_has_its_mark_and_its_name() -> None:
    text = click.unstyle(plot([Drawn("one", [0, 9], [1, 1]), Drawn("two", [0, 9], [1, 0.01])], across="s", least=1e-6))
    assert "● one" in text
    assert "○ two" in text
    assert "1e0" in text
    assert "1e-2" in text
