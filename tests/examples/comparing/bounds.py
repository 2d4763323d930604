"""How many queries a request may take where lookups are batched."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from examples.trading.services.basket import AT_ONCE

from .generated import BODIES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .generated import Request
    from .variants import Pair

_OF_TWO_LOADERS: Final = {("kite", book) for book in ("/orders", "/trades", "/holdings")}
"""What is looked up by the broker's symbol, and by the token where nothing has that symbol."""


def excess(pair: Pair, statements: int = 1) -> Iterator[str]:
    """Yields what is wrong with the number of a request's queries.

    A plain request to an application that has not yet learned anything takes no more than a query
    for each lookup, and one for each loader that it asks: a page asks one more, for the lots of
    what the book's own lookups have not found. If all rows have the same name or token, on several
    exchanges, a loader may take one more: its first query is for one key alone. Names that a
    database might take for others are asked for again, and what was learned of a place by requests
    that failed there, or had but one row, has it left alone for a while.

    Args:
        pair: The request's answers.
        statements: How many a batch takes at most: MariaDB asks once more for keys without rows.
    """
    if not (pair.request.is_plain and pair.request.is_new):
        return
    naive, batched = (pair.seen[variant].queries for variant in ("naive", "batched"))
    if batched > naive * statements:
        yield f"queries: {batched} batched, {naive} naive"
    most = _most(pair.broker, pair.request) * statements + pair.own_queries
    if batched > most:
        yield f"queries: {batched} batched, not {most}"


def _most(broker: str, request: Request) -> int:
    book = request.kind.removeprefix("/pages")
    loaders = 2 if (broker, book) in _OF_TWO_LOADERS else 1
    if book != request.kind:
        loaders += 1
    if book == "/basket":
        # Threads that ask before the first one has found what goes along each ask for their own.
        loaders += AT_ONCE - 1
    return loaders * 2 if _has_one_name(request) else loaders


def _has_one_name(request: Request) -> bool:
    if request.kind in BODIES:
        document = json.loads(request.body or "")
        rows = document.get("orders") or document.get("symbols") or [document]
        return len({row["symbol"] for row in rows}) == 1
    rows = [row for book in vars(request.account).values() for row in book]
    columns = ("tradingsymbol", "instrument_token")
    return bool(rows) and any(len({str(row[column]) for row in rows}) == 1 for column in columns)
