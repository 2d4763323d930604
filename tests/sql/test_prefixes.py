"""Rows by the first part of a key: of one that many rows share, not all are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Engine, Integer, MetaData, String, Table, insert

from dataloaders.sql import TableLoader
from dataloaders.sql.plan import MAX_ROWS

if TYPE_CHECKING:
    from dataloaders.sql.plan import Connected, Keys, Row

pytestmark = pytest.mark.timeout(60)

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("code", String(40), index=True),
    Column("place", String(10)),
)


class ThingLoader(TableLoader[Any]):
    table, key = things, ("code", "place")


class RowsLoader(ThingLoader):
    """Answers prefixes with their rows."""

    def fetch(self, execute: Connected, keys: Keys) -> list[Any]:
        found: list[list[Row]] = [[] for _ in keys]
        for row in self.plan(execute).rows_by_prefix(execute, keys):
            found[row[0]].append(row)
        return found


@pytest.fixture
def crowded(any_database: Engine) -> Engine:
    """A table of which many rows have no code, or an empty one, and many have the same."""
    things.create(any_database)
    codes = [None, "", "crowded"]
    rows: list[dict[str, Any]] = [
        {"code": codes[n % 3], "place": f"P{n}"} for n in range(9 * MAX_ROWS)
    ]
    rows += [{"code": "few", "place": f"P{n}"} for n in range(3)]
    with any_database.begin() as connection:
        connection.execute(insert(things), rows)
    return any_database


@pytest.mark.parametrize(
    "codes",
    [
        [None],
        [""],
        ["crowded"],
        ["few"],
        ["none"],
        ["", None],
        ["few", "crowded"],
        ["crowded", "few", "none", None, ""],
    ],
)
def test_no_prefix_brings_more_rows_than_one_more_than_are_worth_having(
    crowded: Engine, codes: list[str | None]
) -> None:
    found = RowsLoader(crowded).batch_load([(code,) for code in codes])
    assert [len(rows) for rows in found] == [
        {"few": 3, "none": 0}.get(code or "", MAX_ROWS + 1) for code in codes
    ]
