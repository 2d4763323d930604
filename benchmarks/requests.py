"""What the Flask extension costs a request that looks nothing up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from flask_dataloaders import DataLoaders

from .measure import compare, repeated

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .measure import Result

REQUESTS_PER_ROUND = 200


def results(rounds: int) -> Iterator[Result]:
    """Yields the comparison, through Flask's test client."""
    plain, extended = _app(), _app()
    DataLoaders(extended)
    yield compare(
        "a request that looks nothing up, with the extension",
        repeated(lambda: extended.test_client().get("/"), REQUESTS_PER_ROUND),
        repeated(lambda: plain.test_client().get("/"), REQUESTS_PER_ROUND),
        against="the same application without it",
        units=REQUESTS_PER_ROUND,
        unit="request",
        rounds=rounds,
    )


def _app() -> Flask:
    app = Flask(__name__)
    app.add_url_rule("/", view_func=lambda: "")
    return app
