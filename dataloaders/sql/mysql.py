"""MariaDB and MySQL: one JSON parameter with all keys, joined from the keys' side.

One statement text serves every number of keys. STRAIGHT_JOIN has the server begin with the keys,
and it is told by which index to go on: for a literal it looks into the indexes to see how many
rows there are, but for values that come out of a join it believes its statistics, which may be
older than the rows.
https://mariadb.com/kb/en/json_table/, https://mariadb.com/kb/en/index-hints-how-to-force-query-plans/
https://dev.mysql.com/doc/refman/en/json-table-functions.html

A text is compared by its column's collation only with what is as weak as a literal. A column of
JSON_TABLE is not, but what JSON_UNQUOTE makes of it is.
https://dev.mysql.com/doc/refman/en/charset-collation-coercibility.html
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, func, literal_column, select, text
from sqlalchemy.exc import DBAPIError

from .json_keys import as_json
from .mysql_facts import TextFacts, best_index, has_json_table, json_table, parameters, text_facts
from .mysql_types import TEXT, LostError, column_kind, to_json
from .plan import KEYS, MAX_ROWS, Plan, PrefixPlan, placed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import (
        ColumnElement,
        Dialect,
        FromClause,
        ScalarSelect,
        Select,
        TableValuedAlias,
    )

    from .definition import Definition
    from .plan import Connected, Keys, Row

    Nulls = tuple[bool, ...]

MAX_LENGTH: Final = 250_000
"""Characters of JSON in one statement, at most: a server may refuse more than a megabyte."""

_NO_SUCH_INDEX: Final = 1176

_CROWDED: Final = ()
"""The place of the statement for crowded prefixes among those by what is NULL."""


class MySQLPlan(Plan):
    """Asks MariaDB or MySQL."""

    def __init__(
        self, definition: Definition, dialect: Dialect, schemas: Mapping[str | None, str] | None
    ) -> None:
        super().__init__(definition, dialect, schemas)
        column_types = [column.type.dialect_impl(dialect) for column in definition.key]
        self._kinds = list(map(column_kind, column_types))
        self._goes_through_json = None not in self._kinds and has_json_table(dialect)
        self._to_json = [to_json(each, dialect) for each in column_types]
        self._facts: TextFacts | None = None
        self._index: str | None = None
        self._texts: dict[Nulls, str] = {}

    def rows(self, execute: Connected, keys: Keys) -> list[Row]:
        """Returns the rows of all keys; see `Plan.rows`."""
        if len(keys) == 1 or not self._goes_through_json:
            return super().rows(execute, keys)
        if not (self._facts or self._learned(execute)).as_literals:
            return super().rows(execute, keys)
        return self.rows_in_parts(execute, keys)

    @cached_property
    def _by_prefix(self) -> Plan:
        return _MySQLPrefixPlan(self.definition.by_prefix, self.dialect, self._schemas)

    def _learned(self, execute: Connected) -> TextFacts:
        pairs = zip(self.definition.key, self._kinds, strict=True)
        facts = text_facts(self, execute, [column for column, kind in pairs if kind == TEXT])
        if facts.as_literals:
            self._index = best_index(self, execute, self._schemas)
        self._facts = facts
        return facts

    def rows_of(self, execute: Connected, keys: Keys, nulls: Nulls) -> list[Row]:
        """Returns the rows of keys that have the same parts NULL; see `Plan.rows_of`."""
        parameter = self._parameter(keys)
        if parameter is None:
            return self._rows_of_lost(execute, keys, nulls)
        if len(parameter) <= MAX_LENGTH:
            return self._found(execute, keys, nulls, parameter)
        if len(keys) == 1:
            return super().rows(execute, keys)
        middle = len(keys) // 2
        behind = self.rows_of(execute, keys[middle:], nulls)
        return [
            *self.rows_of(execute, keys[:middle], nulls),
            *placed(behind, range(middle, len(keys))),
        ]

    def _rows_of_lost(self, execute: Connected, keys: Keys, nulls: Nulls) -> list[Row]:
        """Returns the rows of keys of which some would not come out of JSON as they are."""
        lost: list[int] = []
        kept: list[int] = []
        for position, key in enumerate(keys):
            (lost if self._parameter([key]) is None else kept).append(position)
        rows = placed(super().rows(execute, [keys[position] for position in lost]), lost)
        if kept:
            found = self.rows_of(execute, [keys[position] for position in kept], nulls)
            rows += placed(found, kept)
        return rows

    def _parameter(self, keys: Keys) -> str | None:
        """Returns keys as JSON, or None if there is one that would not come out of it as it is."""
        bound: Any = keys
        if any(self._to_json):
            try:
                bound = [self._bound(key) for key in keys]
            except LostError:
                return None
        parameter = as_json(bound)
        is_whole = self._facts is not None and self._facts.whole
        return parameter if is_whole or parameter.isascii() else None

    def _bound(self, key: tuple[Any, ...]) -> list[Any]:
        return [
            part if part is None or process is None else process(part)
            for part, process in zip(key, self._to_json, strict=True)
        ]

    def _found(self, execute: Connected, keys: Keys, nulls: Nulls, parameter: str) -> list[Row]:  # noqa: ARG002 - for prefixes, of which some are left
        """Returns the rows that one statement finds of keys, given as JSON as well."""
        try:
            return self._run(execute, nulls, parameter)
        except DBAPIError as error:
            if getattr(error.orig, "args", ())[:1] != (_NO_SUCH_INDEX,):
                raise
        self._index = best_index(self, execute, self._schemas)
        self._texts.clear()
        return self._run(execute, nulls, parameter)

    def _run(self, execute: Connected, nulls: Nulls, parameter: str) -> list[Row]:
        statement = self._texts.get(nulls)
        if statement is None:
            statement = self._texts[nulls] = str(self.compiled(self._statement(nulls)))
        return self.fetched(execute, statement, parameters(self.dialect, parameter))

    def _statement(self, nulls: Nulls) -> Select[Any]:
        table = self.definition.table
        keys = self._keys(nulls)
        wanted = [
            column.is_(None) if is_null else self._equal(column, index, keys)
            for index, (column, is_null) in enumerate(zip(self.definition.key, nulls, strict=True))
        ]
        statement = select(_position(keys), *self.selected)
        statement = statement.select_from(keys.join(table, and_(*wanted)))
        return self._hinted(statement.prefix_with("STRAIGHT_JOIN"), table).where(*self._only(keys))

    def _only(self, keys: TableValuedAlias) -> tuple[ColumnElement[bool], ...]:  # noqa: ARG002 - for prefixes
        """Returns which keys are asked for, where not all are."""
        return ()

    def _keys(self, nulls: Nulls) -> TableValuedAlias:
        columns = {
            f"k{index}": f"{kind} PATH '$[{index}]'"
            for index, (kind, is_null) in enumerate(zip(self._kinds, nulls, strict=True))
            if not is_null
        }
        return json_table(KEYS, {"n": "FOR ORDINALITY"} | columns)

    def _equal(
        self, column: ColumnElement[Any], index: int, keys: TableValuedAlias
    ) -> ColumnElement[bool]:
        part: ColumnElement[Any] = keys.c[f"k{index}"]
        return column == (func.json_unquote(part) if self._kinds[index] == TEXT else part)

    def _hinted(self, statement: Select[Any], table: FromClause) -> Select[Any]:
        if self._index is None:
            return statement
        # SQLAlchemy puts names into hints.
        hint = f"FORCE INDEX ({self._index})".replace("%", "%%")
        return statement.with_hint(table, hint)


class _MySQLPrefixPlan(MySQLPlan, PrefixPlan):
    """Asks MariaDB or MySQL for the first rows of each prefix.

    MariaDB has no join with a limit for each key. So the index is asked first whether a prefix has
    more rows than are worth having; one that has is asked for the plain way, which has a limit.
    """

    def _found(self, execute: Connected, keys: Keys, nulls: Nulls, parameter: str) -> list[Row]:
        rows = super()._found(execute, keys, nulls, parameter)
        found = {row[0] for row in rows}
        missing = [position for position in range(len(keys)) if position not in found]
        if missing:
            crowded = self._crowded(execute, [keys[position] for position in missing])
            if many := [missing[position] for position in crowded]:
                limited = PrefixPlan.rows(self, execute, [keys[position] for position in many])
                return [*rows, *placed(limited, many)]
        return rows

    def _crowded(self, execute: Connected, prefixes: Keys) -> list[int]:
        """Returns the positions of those that more rows have than are worth having."""
        if _CROWDED not in self._texts:
            keys = self._keys((False,))
            statement = select(_position(keys)).where(self._beyond(keys).is_not(None))
            self._texts[_CROWDED] = str(self.compiled(statement))
        parameter = parameters(self.dialect, as_json([self._bound(prefix) for prefix in prefixes]))
        listed, _ = execute(self._texts[_CROWDED], parameter, describe=False)
        return [row[0] for row in listed]

    def _only(self, keys: TableValuedAlias) -> tuple[ColumnElement[bool], ...]:
        return (self._beyond(keys).is_(None),)

    def _beyond(self, keys: TableValuedAlias) -> ScalarSelect[Any]:
        """Returns something for a prefix with more rows than are worth having, and NULL else."""
        limited = self.definition.table.alias("limited")
        (column,) = self.definition.key
        beyond: Select[Any] = (
            select(literal_column("1"))
            .select_from(limited)
            .where(self._equal(limited.columns[column.key or ""], 0, keys))
            # As text: SQLAlchemy's own limit brings two parameters along.
            .suffix_with(text(f"LIMIT {MAX_ROWS}, 1"))
        )
        return self._hinted(beyond, limited).correlate(keys).scalar_subquery()


def _position(keys: TableValuedAlias) -> ColumnElement[int]:
    number: ColumnElement[int] = keys.c.n
    return number - literal_column("1")
