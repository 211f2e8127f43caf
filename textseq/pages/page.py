"""Writes a page: a title, and sections that each have a heading, a sentence or two and something to look at."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from textseq.errors import UsageError, problem
from textseq.files import replacing


@dataclass(frozen=True)
class Section:
    """A part of a page.

    Attributes:
        title: Its heading.
        note: What one sees, in plain text.
        html: The thing itself, safe to insert as it is.
    """

    title: str
    note: str
    html: str


def require_pages(option: str = "--html") -> None:
    """Refuses, before any work is done, to make a page where the libraries for it are not installed.

    Raises:
        UsageError: One is missing.
    """
    missing = [name for name in ("jinja2", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        wrong = f"needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed"
        raise UsageError(problem(option, wrong, way_out="Install them: pip install 'textseq[report]'"))


def write_page(path: Path, title: str, sections: Iterable[Section]) -> None:
    """Writes one file that needs no other, whole or not at all.

    Args:
        path: Where.
        title: Of the page.
        sections: In their order.

    Raises:
        RunDirectoryError: Writing there is not allowed.
    """
    from jinja2 import Environment

    template = resources.files("textseq.pages").joinpath("page.html").read_text(encoding="utf-8")
    text = Environment(autoescape=True).from_string(template).render(title=title, sections=list(sections))
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Returns a table whose first column heads its rows."""
    from jinja2 import Environment

    template = (
        "<div class='wide'><table><thead><tr>{% for name in columns %}<th>{{ name }}</th>{% endfor %}</tr></thead>"
        "<tbody>{% for row in rows %}<tr>{% for cell in row %}"
        "{% if loop.first %}<th scope='row'>{{ cell }}</th>{% else %}<td>{{ cell }}</td>{% endif %}"
        "{% endfor %}</tr>{% endfor %}</tbody></table></div>"
    )
    return Environment(autoescape=True).from_string(template).render(columns=columns, rows=list(rows))


def coloured_tokens(tokens: Iterable[Mapping[str, Any]]) -> str:
    """Returns a text whose tokens are coloured by what they added to a label: blue for it, red against it.

    Args:
        tokens: `token`, `attribution`, and `share`: the attribution as a fraction of the largest, -1 to 1.
    """
    from jinja2 import Environment

    template = (
        "<p class='tokens'>{% for one in tokens %}<span title='{{ '%+.3f'|format(one.attribution) }}' "
        "style='background: rgb({{ '40 110 230' if one.share >= 0 else '230 60 40' }} / "
        "{{ '%.2f'|format(one.share|abs * 0.7) }})'>{{ one.token }}</span>{% endfor %}</p>"
    )
    return Environment(autoescape=True).from_string(template).render(tokens=list(tokens))
