"""What stands on a page: charts and tables, apart from how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Table:
    """Rows of text.

    Attributes:
        heads: Of the columns.
        rows: Of cells; numbers are written already.
        caption: What it holds, for those who jump from table to table.
        texts: Numbers of the columns that hold words, which are set at the left; all others at the right.
        bars: By column: the share of the cell that a bar fills, for each row.
        sortable: Whether a click on a head sorts.
    """

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    texts: Sequence[int] = (0,)
    bars: dict[int, list[float]] = field(default_factory=dict)
    sortable: bool = False


@dataclass(frozen=True)
class Chart:
    """A drawing and what it says.

    Attributes:
        title: A few words.
        says: A sentence on how to read it, or on what it shows.
        svg: The drawing; "" where a table is all there is.
        table: The same in numbers; None where the page has them elsewhere.
        wide: Whether it takes the whole width of the page.
        scrolls: Whether a phone scrolls it, for its letters would be too small.
    """

    title: str
    says: str
    svg: str
    table: Table | None = None
    wide: bool = False
    scrolls: bool = False


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        key: Its anchor.
        title: Its heading.
        says: A sentence under the heading, or "".
        charts: Its charts.
        tables: Its tables, each with a heading.
        content: What only this section has; the page's template knows it by the section's key.
    """

    key: str
    title: str
    says: str = ""
    charts: Sequence[Chart] = ()
    tables: Sequence[tuple[str, Table]] = ()
    content: Any = None
