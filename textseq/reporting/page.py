"""Fills the pages' templates: style and script go inside, so that one file is all there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textseq import __version__
from textseq.errors import UsageError
from textseq.reporting.chart import Section


def require_extra(command: str) -> None:
    """Says what is missing before any work is done.

    Raises:
        UsageError: Matplotlib or Jinja is not installed.
    """
    try:
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError(f"{command}: needs {error.name}. Install it with: pip install 'textseq[report]'.") from error


def render(template: str, sections: Sequence[Section], **content: Any) -> str:
    """Returns a whole page.

    Args:
        template: Its file in `pages/`.
        sections: Its parts.
        **content: What else the template asks for.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader = PackageLoader("textseq.reporting", "pages")
    pages = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined)
    style, script = (Markup(loader.get_source(pages, name)[0]) for name in ("style.css", "page.js"))
    values = {"version": __version__, "style": style, "script": script, "sections": sections, **content}
    return pages.get_template(template).render(values)
