"""Counts what a request costs: lookups that its code asks for, queries that the database sees."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from flask import g, has_app_context
from sqlalchemy import event

if TYPE_CHECKING:
    from flask import Flask, Response
    from sqlalchemy import Engine

LOOKUPS_HEADER = "X-Lookups"
QUERIES_HEADER = "X-Queries"


class Meter:
    """The counts of one request, to which all of its threads add."""

    __slots__ = ("_lookups", "_queries", "count_lookup", "count_query")

    def __init__(self) -> None:
        # `next` of a count is atomic.
        self._lookups, self._queries = count(), count()
        self.count_lookup = self._lookups.__next__
        self.count_query = self._queries.__next__

    def read(self) -> tuple[int, int]:
        """Returns how many lookups and queries there were, and ends the counting."""
        return next(self._lookups), next(self._queries)


def meter() -> Meter:
    """Returns the current request's meter."""
    found: Meter | None = g.get("meter")
    if found is None:
        found = g.setdefault("meter", Meter())  # atomic, as dict.setdefault is
    return found


def report_costs(app: Flask, engine: Engine) -> None:
    """Has every response carry its request's counts in two headers."""

    def count_query(*_arguments: object) -> None:
        if has_app_context():
            meter().count_query()

    def add_headers(response: Response) -> Response:
        lookups, queries = meter().read()
        response.headers[LOOKUPS_HEADER] = str(lookups)
        response.headers[QUERIES_HEADER] = str(queries)
        return response

    event.listen(engine, "before_cursor_execute", count_query)
    app.after_request(add_headers)
