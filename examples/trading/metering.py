"""Counts what a request costs: lookups that its code asks for, queries that the database sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import g, has_app_context
from sqlalchemy import event

if TYPE_CHECKING:
    from flask import Flask, Response
    from sqlalchemy import Engine

LOOKUPS_HEADER = "X-Lookups"
QUERIES_HEADER = "X-Queries"


@dataclass(slots=True)
class Meter:
    """The counts of one request."""

    lookups: int = 0
    queries: int = 0


def meter() -> Meter:
    """Returns the current request's meter."""
    found: Meter = g.setdefault("meter", Meter())
    return found


def report_costs(app: Flask, engine: Engine) -> None:
    """Has every response carry its request's counts in two headers."""

    def count_query(*_arguments: object) -> None:
        if has_app_context():
            meter().queries += 1

    def add_headers(response: Response) -> Response:
        response.headers[LOOKUPS_HEADER] = str(meter().lookups)
        response.headers[QUERIES_HEADER] = str(meter().queries)
        return response

    event.listen(engine, "before_cursor_execute", count_query)
    app.after_request(add_headers)
