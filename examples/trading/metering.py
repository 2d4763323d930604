"""Counts what a request costs: lookups that its code asks for, queries that the database sees."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
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
    """The counts of one request, to which all of its threads add."""

    lookups: int = 0
    queries: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count_lookup(self) -> None:
        """Adds one to the lookups."""
        with self._lock:
            self.lookups += 1

    def count_query(self) -> None:
        """Adds one to the queries."""
        with self._lock:
            self.queries += 1


def meter() -> Meter:
    """Returns the current request's meter."""
    found: Meter = g.setdefault("meter", Meter())  # atomic, as dict.setdefault is
    return found


def report_costs(app: Flask, engine: Engine) -> None:
    """Has every response carry its request's counts in two headers."""

    def count_query(*_arguments: object) -> None:
        if has_app_context():
            meter().count_query()

    def add_headers(response: Response) -> Response:
        response.headers[LOOKUPS_HEADER] = str(meter().lookups)
        response.headers[QUERIES_HEADER] = str(meter().queries)
        return response

    event.listen(engine, "before_cursor_execute", count_query)
    app.after_request(add_headers)
