"""SQLite: one JSON parameter with all keys, joined from the keys' side.

One statement text serves every number of keys and meets no limit on parameters. A LEFT JOIN from
the key list pins the order of the join; a plain JOIN lets SQLite start from the table and scan
an index. Tuple IN is no alternative: before 3.41 it scans the table.
https://www.sqlite.org/json1.html#jeach, https://www.sqlite.org/optoverview.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Table,
    and_,
    bindparam,
    func,
    literal_column,
    select,
    types,
)
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from .plan import Plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement, Dialect

    from .definition import Definition
    from .plan import Execute, Keys, Row

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode

_THROUGH_JSON = (
    types.String,
    types.Integer,
    types.Date,
    types.DateTime,
    types.Time,
    types.Uuid,
    types.Boolean,
)
"""Types whose bound values are the same after a way through JSON: text and 64-bit integers."""


class SQLitePlan(Plan):
    """Asks SQLite."""

    def __init__(self, definition: Definition, dialect: Dialect) -> None:
        super().__init__(definition, dialect)
        self._indexed = _indexed_together(definition)
        self._goes_through_json = all(
            isinstance(column.type, _THROUGH_JSON) for column in definition.key
        )
        implementations = [column.type.dialect_impl(dialect) for column in definition.key]
        self._to_bound: list[Callable[[Any], Any] | None] = [
            implementation.bind_processor(dialect) for implementation in implementations
        ]
        self._texts: dict[bool, str] = {}

    def rows(self, execute: Execute, keys: Keys) -> list[Row]:
        """Returns the rows of all keys; see `Plan.rows`."""
        if len(keys) == 1 or not self._goes_through_json:
            return super().rows(execute, keys)
        if any(self._to_bound):
            keys = [self._bound(key) for key in keys]
        parameter = _encode(keys)
        with_nulls = "null" in parameter  # or in a text; then IS does as well as =
        text = self._texts.get(with_nulls)
        if text is None:
            text = self._texts[with_nulls] = self._text(with_nulls=with_nulls)
        # A key without a row comes back with NULLs.
        found = [row for row in execute(text, (parameter,)) if row[1] is not None]
        return self.processed(found)

    def _bound(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            part if part is None or process is None else process(part)
            for part, process in zip(key, self._to_bound, strict=True)
        )

    def _text(self, *, with_nulls: bool) -> str:
        keys = func.json_each(bindparam("keys")).table_valued("key", "value", name="k")
        matches = []
        for index, column in enumerate(self.definition.key):
            part = func.json_extract(keys.c.value, literal_column(f"'$[{index}]'"))
            operator = "IS" if with_nulls else "="  # IS finds NULL, and uses the index as well
            matches.append(self._pinned(index, column).op(operator, is_comparison=True)(part))
        joined = keys.outerjoin(self.definition.table, and_(*matches))
        statement = select(keys.c.key, *self.selected).select_from(joined)
        return str(statement.compile(dialect=self.dialect))

    def equals(
        self, index: int, column: ColumnElement[Any], parameter: ColumnElement[Any]
    ) -> ColumnElement[bool]:
        """Compares the key's column number `index` with its value."""
        return self._pinned(index, column) == parameter

    def _pinned(self, index: int, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Keeps SQLite from using an index on this column, unless it is the one to be used.

        Without statistics all indexes look alike to SQLite, and it may well choose that of the
        exchange over that of the token. A unary plus takes a column's index out of the choice.
        https://www.sqlite.org/optoverview.html#disqualifying_where_clause_terms_using_unary_
        """
        if index in self._indexed:
            return column
        return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def _indexed_together(definition: Definition) -> set[int]:
    """Returns which of the key's columns the best index covers, as far as the table tells.

    That is the index that starts with the most of them; between equals, the one with the column
    that comes first in the key. Where the table declares no index, the first column is trusted
    to be the selective one.
    """
    indexes = []
    if isinstance(definition.table, Table):
        indexes = [tuple(index.columns) for index in definition.table.indexes]
        indexes.append(tuple(definition.table.primary_key))
    best = {0}
    for columns in indexes:
        covered = set()
        for column in columns:
            if column not in definition.key:
                break
            covered.add(definition.key.index(column))
        if (-len(covered), min(covered, default=0)) < (-len(best), min(best)):
            best = covered
    return best
