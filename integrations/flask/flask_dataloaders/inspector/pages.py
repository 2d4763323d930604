"""The inspector's pages: templates, and what they are given."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, PackageLoader

from .origins import in_words
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


# An environment of its own: an application's filters and context processors are for its pages.
_environment = Environment(
    loader=PackageLoader("flask_dataloaders.inspector"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters |= {"ms": _ms, "clock": _clock, "in_words": in_words}


def style() -> str:
    """Returns the style sheet of all pages."""
    return _environment.get_template("style.css").render()


def requests_page(kept: KeptRequests, root: str) -> str:
    """Returns the page of the last requests.

    Args:
        kept: The requests.
        root: The path that all of the inspector's are under, with a slash at its end.
    """
    newest = kept.newest()
    return _environment.get_template("requests.html").render(
        root=root,
        process=os.getpid(),
        most=kept.most,
        requests=[(number, record, kept.saved_seconds(record)) for number, record in newest],
    )


def request_page(kept: KeptRequests, number: str, root: str) -> str | None:
    """Returns the page of one request; None if it is not kept any more."""
    record = kept.find(number)
    if record is None:
        return None
    return _environment.get_template("request.html").render(
        root=root, process=os.getpid(), number=number, **_parts(record, kept.saved_seconds)
    )


def totals_page(kept: KeptRequests, root: str) -> str:
    """Returns the page of totals by endpoint."""
    return _environment.get_template("totals.html").render(
        root=root, process=os.getpid(), totals=kept.totals
    )


def panel(kept: KeptRequests, record: Record) -> str:
    """Returns what there is to show of one request, with its style, as part of another page."""
    return _environment.get_template("panel.html").render(**_parts(record, kept.saved_seconds))


def _parts(record: Record, saved_seconds: Callable[[Record], float]) -> dict[str, object]:
    return {
        "record": record,
        "stats": record.stats,
        "saved_seconds": saved_seconds(record),
        "waterfall": Waterfall(record),
    }
