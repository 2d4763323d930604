"""What belongs to one user each: a table, its loader, and loops over rows of a request.

The loader is not shared, so no request may ask for what is in another's rows. The codes of a
request's own rows begin with its name; what is in the rows of all of them has no such prefix.
"""

# ruff: noqa: PERF401 - the loops are written as applications write them

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Column, Integer, MetaData, String, Table

from dataloaders import ScopeThreadPoolExecutor
from dataloaders.sql import TableLoader

if TYPE_CHECKING:
    from collections.abc import Callable

Rows: TypeAlias = Any
Answer: TypeAlias = Any
Find: TypeAlias = Any  # (code, venue) -> quantity, or None

POOL_THREADS = 4

metadata = MetaData()
holdings = Table(
    "holdings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", String(32), nullable=False, index=True),
    Column("venue", String(8), nullable=False),
    Column("quantity", Integer, nullable=False),
)


class HoldingLoader(TableLoader[Any]):
    """Loads holdings; they are not everybody's, so it is not `shared`."""

    table = holdings
    key = ("code", "venue")


def find(code: str, venue: str) -> int | None:
    """The library's lookup."""
    held = HoldingLoader.current().get((code, venue))
    return None if held is None else held.quantity


CASH = {"code": "CASH", "venue": "A"}
"""A row that all requests have in their lists: one and the same object."""


class Books:
    """A service of the process that keeps the rows of all users."""

    def __init__(self) -> None:
        self.by_user: dict[str, Rows] = {}
        self.by_code: dict[str, Any] = {}

    def quantities_of(self, find: Find, user: str) -> Answer:
        found = []
        for row in self.by_user[user]:
            found.append(find(row["code"], row["venue"]))
        return found

    def quantities_by_code(self, find: Find, codes: list[str]) -> Answer:
        found = {}
        for code in codes:
            row = self.by_code[code]
            found[code] = find(row["code"], row["venue"])
        return found


_books = Books()

HOLDING_LOOPS: dict[str, Callable[[Find, str, Rows], Answer]] = {}


def loop(function: Callable[[Find, str, Rows], Answer]) -> Callable[[Find, str, Rows], Answer]:
    """Has a worker run a loop: called with a lookup, a user's name and the user's rows."""
    HOLDING_LOOPS[function.__name__] = function
    return function


@loop
def own_rows(find: Find, _user: str, rows: Rows) -> Answer:
    for row in rows:
        row["quantity"] = find(row["code"], row["venue"])
    return rows


@loop
def own_texts(find: Find, _user: str, rows: Rows) -> Answer:
    codes = [row["code"] for row in rows]
    return {code: find(code, "A") for code in codes}


@loop
def own_rows_in_a_pool(find: Find, _user: str, rows: Rows) -> Answer:
    def quantity_of(row: Any) -> Answer:  # noqa: ANN401 - a row of JSON
        return find(row["code"], row["venue"])

    with ScopeThreadPoolExecutor(POOL_THREADS) as pool:
        return list(pool.map(quantity_of, rows))


@loop
def own_rows_in_a_pool_by_index(find: Find, _user: str, rows: Rows) -> Answer:
    def quantity_of(row: Any) -> Answer:  # noqa: ANN401 - a row of JSON
        return find(row["code"], row["venue"])

    with ScopeThreadPoolExecutor(POOL_THREADS) as pool:
        futures = []
        for i in range(len(rows)):
            futures.append(pool.submit(quantity_of, rows[i]))
        return [future.result() for future in futures]


@loop
def a_row_of_everybody(find: Find, _user: str, rows: Rows) -> Answer:
    found = []
    for row in [CASH, *rows]:
        found.append(find(row["code"], row["venue"]))
    return found


@loop
def a_row_of_everybody_in_a_pool(find: Find, _user: str, rows: Rows) -> Answer:
    def quantity_of(row: Any) -> Answer:  # noqa: ANN401 - a row of JSON
        return find(row["code"], row["venue"])

    everything = [CASH, *rows]
    with ScopeThreadPoolExecutor(POOL_THREADS) as pool:
        return list(pool.map(quantity_of, everything))


@loop
def own_rows_in_everybodys_books(find: Find, user: str, rows: Rows) -> Answer:
    _books.by_user[user] = rows
    del rows
    return _books.quantities_of(find, user)


@loop
def own_rows_among_everybodys_by_code(find: Find, _user: str, rows: Rows) -> Answer:
    _books.by_code.update((row["code"], row) for row in rows)
    codes = [row["code"] for row in rows]
    del rows
    return _books.quantities_by_code(find, codes)
