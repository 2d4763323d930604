"""SQLite: one JSON parameter with all keys, joined from the keys' side.

One statement text serves every number of keys and meets no limit on parameters. A CROSS JOIN is
the one join that SQLite never turns around; a plain one lets it start from the table and scan an
index. Tuple IN is no alternative: before 3.41 it scans the table.
https://www.sqlite.org/json1.html#jeach, https://www.sqlite.org/lang_select.html#crossjoin
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    and_,
    bindparam,
    func,
    literal_column,
    select,
    text,
    types,
)
from sqlalchemy.exc import DBAPIError

from .json_keys import as_json
from .plan import KEYS, MAX_ROWS, Plan, PrefixPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import ColumnElement, Dialect, Select, TableValuedAlias

    from .definition import Definition
    from .plan import Connected, Keys, Row

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

    def __init__(
        self, definition: Definition, dialect: Dialect, schemas: Mapping[str | None, str] | None
    ) -> None:
        super().__init__(definition, dialect, schemas)
        self._goes_through_json = all(
            isinstance(column.type, _THROUGH_JSON) for column in definition.key
        )
        implementations = [column.type.dialect_impl(dialect) for column in definition.key]
        self._to_bound: list[Callable[[Any], Any] | None] = [
            implementation.bind_processor(dialect) for implementation in implementations
        ]
        self._texts: dict[bool, str] = {}
        self._has_json: bool | None = None

    def rows(self, execute: Connected, keys: Keys) -> list[Row]:
        """Returns the rows of all keys; see `Plan.rows`."""
        if len(keys) == 1 or not self._goes_through_json:
            return super().rows(execute, keys)
        if self._has_json is None:
            self._has_json = self._can_read_json(execute)
        if not self._has_json:
            return super().rows(execute, keys)
        bound = [self._bound(key) for key in keys] if any(self._to_bound) else keys
        parameter = as_json(bound)
        with_nulls = "null" in parameter  # or in a text; then IS does as well as =
        if "\\u0000" in parameter:
            return super().rows(execute, keys)  # SQLite's JSON ends a text at a NUL
        statement = self._texts.get(with_nulls)
        if statement is None:
            statement = self._texts[with_nulls] = self._text(with_nulls=with_nulls)
        return self.fetched(execute, statement, (parameter,))

    def _can_read_json(self, execute: Connected) -> bool:
        """Whether this SQLite has JSON functions; before 3.38 it may have been built without."""
        if (self.dialect.server_version_info or ()) >= (3, 38):
            return True
        try:
            execute.inquire("SELECT json_extract(value, '$[0]') FROM json_each('[[1]]')", ())
        except DBAPIError:
            return False
        return True

    @cached_property
    def _by_prefix(self) -> Plan:
        return _SQLitePrefixPlan(self.definition.by_prefix, self.dialect, self._schemas)

    def _bound(self, key: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(
            part if part is None or process is None else process(part)
            for part, process in zip(key, self._to_bound, strict=True)
        )

    def _text(self, *, with_nulls: bool) -> str:
        keys = func.json_each(bindparam("keys", None)).table_valued("key", "value", name=KEYS)
        joined = keys.join(self.definition.table, self._matching(keys, with_nulls=with_nulls))
        statement = select(keys.c.key, *self.selected).select_from(joined)
        # SQLAlchemy has no CROSS JOIN; the first JOIN is the one after the keys.
        return str(self.compiled(statement)).replace(" JOIN ", " CROSS JOIN ", 1)

    def _matching(self, keys: TableValuedAlias, *, with_nulls: bool) -> ColumnElement[bool]:
        """Returns which rows belong to a key."""
        return and_(
            *[
                _weighed(index, _equal(column, keys, index, with_nulls=with_nulls))
                for index, column in enumerate(self.definition.key)
            ]
        )

    def equals(
        self, index: int, column: ColumnElement[Any], parameter: ColumnElement[Any]
    ) -> ColumnElement[bool]:
        """Compares the key's column number `index` with its value."""
        return _weighed(index, column == parameter)


class _SQLitePrefixPlan(SQLitePlan, PrefixPlan):
    """Asks SQLite for the first rows of each prefix.

    No plain join has a limit for each key. So the rows are found by their row ids, of which a
    subquery over the index returns so many and no more.
    """

    def _matching(self, keys: TableValuedAlias, *, with_nulls: bool) -> ColumnElement[bool]:
        (column,) = self.definition.key
        table = self.definition.table
        limited = table.alias("dataloader_rows")
        # The rowid, because a primary key need not be unique, or there, in the table as it is.
        found: Select[Any] = (
            select(literal_column("dataloader_rows.rowid"))
            .where(_equal(limited.columns[column.key or ""], keys, 0, with_nulls=with_nulls))
            .select_from(limited)
        )
        # As text: SQLAlchemy's own limit brings two parameters along.
        limit = text(f"LIMIT {MAX_ROWS + 1}")
        name = self.dialect.identifier_preparer.format_table(table)
        rowid: ColumnElement[int] = literal_column(f"{name}.rowid")
        return rowid.in_(found.suffix_with(limit).correlate(keys))


def _equal(
    column: ColumnElement[Any], keys: TableValuedAlias, index: int, *, with_nulls: bool
) -> ColumnElement[bool]:
    part = func.json_extract(keys.c.value, literal_column(f"'$[{index}]'"))
    operator = "IS" if with_nulls else "="  # IS finds NULL, and uses the index as well
    return column.op(operator, is_comparison=True)(part)


def _weighed(index: int, match: ColumnElement[bool]) -> ColumnElement[bool]:
    """Tells SQLite that parts of a key after the first narrow little down.

    Without statistics all indexes look alike to it, and it may well choose that of the exchange
    over that of the token. An index over several parts is used all the same.
    https://www.sqlite.org/lang_corefunc.html#likely
    """
    return func.likely(match) if index else match
