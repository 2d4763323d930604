"""The inspector's pages: templates, and what they are given."""

from __future__ import annotations

import datetime as dt
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape

from .visible import visible
from .waterfall import Waterfall

if TYPE_CHECKING:
    from collections.abc import Callable

    from dataloaders.observe import Record

    from .kept import KeptRequests

_MILLISECONDS: Final = 1_000.0


def _ms(seconds: float) -> str:
    milliseconds = seconds * _MILLISECONDS
    return f"{milliseconds:,.2f}" if milliseconds < 10 else f"{milliseconds:,.0f}"  # noqa: PLR2004 - two digits of what is short


def _clock(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).astimezone().strftime("%H:%M:%S")


def _visible(value: Any) -> Any:  # noqa: ANN401 - whatever a template shows
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, keeping="\n\t")
    return value


def _marked(text: str) -> Markup:
    """Returns a text in which what stands in backticks is marked as code."""
    escaped = str(escape(visible(text)))
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", escaped))  # noqa: S704 - it is escaped


def _from_here(path: str) -> str:
    """Returns a path as it is from the working directory, if it is inside that."""
    try:
        here = f"{Path.cwd()}{os.sep}"
    except OSError:  # somebody has removed it
        return path
    return path.removeprefix(here)


# An environment of its own: an application's filters and context processors are for its pages.
_environment = Environment(
    loader=PackageLoader("flask_dataloaders.inspector"),
    autoescape=True,
    finalize=_visible,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {
    "clock": _clock,
    "from_here": _from_here,
    "marked": _marked,
    "ms": _ms,
}


def style() -> str:
    """Returns the style sheet of all pages."""
    return _environment.get_template("style.css").render()


def requests_page(kept: KeptRequests, root: str) -> bytes:
    """Returns the page of the last requests.

    Args:
        kept: The requests.
        root: The path that all of the inspector's are under, with a slash at its end.
    """
    newest = kept.newest()
    requests = [(number, record, kept.saved_seconds(record)) for number, record in newest]
    return _page("requests.html", root, most=kept.most, requests=requests)


def request_page(kept: KeptRequests, record: Record, number: str, root: str) -> bytes:
    """Returns the page of one request."""
    return _page("request.html", root, number=number, **_parts(record, kept.saved_seconds))


def totals_page(kept: KeptRequests, root: str) -> bytes:
    """Returns the page of totals by endpoint."""
    return _page("totals.html", root, totals=kept.totals)


def missing_page(root: str) -> bytes:
    """Returns the page in place of one that is not here."""
    return _page("missing.html", root)


def panel(kept: KeptRequests, record: Record) -> str:
    """Returns what there is to show of one request, with its style, as part of another page."""
    return _environment.get_template("panel.html").render(**_parts(record, kept.saved_seconds))


def _page(template: str, root: str, **shown: object) -> bytes:
    page = _environment.get_template(template).render(root=root, process=os.getpid(), **shown)
    return page.encode()


def _parts(record: Record, saved_seconds: Callable[[Record], float]) -> dict[str, object]:
    return {
        "record": record,
        "stats": record.stats,
        "saved_seconds": saved_seconds(record),
        "waterfall": Waterfall(record),
    }
