"""PostgreSQL: all values of one part of the keys as a text, and for each key a look into the index.

One statement text serves every number of keys. The server takes the texts apart into arrays: to
make those is more work for a driver than all the rest of a batch is. `unnest` makes a table of
the arrays, and each of its rows looks for its own: the planner cannot take a subquery with an
OFFSET apart, so whatever it thinks of the number of keys, it never reads the table from one end
to the other to join it.
https://www.postgresql.org/docs/current/functions-string.html, string_to_array
https://www.postgresql.org/docs/current/functions-array.html
https://www.postgresql.org/docs/current/queries-table-expressions.html#QUERIES-LATERAL
"""

from __future__ import annotations

from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, bindparam, cast, func, literal_column, select, true, types
from sqlalchemy.dialects.postgresql import ARRAY

from .plan import KEYS, MAX_ROWS, Plan, PrefixPlan

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Dialect, ScalarSelect, Select, TableValuedAlias
    from sqlalchemy.sql.compiler import Compiled
    from sqlalchemy.types import TypeEngine

    from .definition import Definition
    from .plan import Connected, Keys, Row

# A cast to a length or a precision would cut a part of a key, and find rows of another one. An
# integer that is too large for its column is no row, and not an error.
_ELEMENTS: Final[tuple[tuple[type[TypeEngine[Any]], TypeEngine[Any]], ...]] = (
    (types.Integer, types.BigInteger()),
    (types.String, types.Text()),
    (types.Numeric, types.Numeric()),
    (types.Date, types.Date()),
    (types.Uuid, types.Uuid()),
    (types.Boolean, types.Boolean()),
)
_OTHERWISE_COMPARED: Final = (types.CHAR, types.NCHAR, types.Enum, types.Float)


class PostgreSQLPlan(Plan):
    """Asks PostgreSQL."""

    def rows(self, execute: Connected, keys: Keys) -> list[Row]:
        """Returns the rows of all keys; see `Plan.rows`."""
        if len(keys) == 1 or None in self._elements:
            return super().rows(execute, keys)
        return self.rows_in_parts(execute, keys)

    def rows_of(self, execute: Connected, keys: Keys, nulls: tuple[bool, ...]) -> list[Row]:
        """Returns the rows of keys that have the same parts NULL; see `Plan.rows_of`."""
        if len(keys) == 1:  # of one empty text it would make no array
            return super().rows_of(execute, keys, nulls)
        statement = self._statement(nulls)
        return self.fetched(execute, statement.text, statement.parameters(keys))

    @cached_property
    def _by_prefix(self) -> Plan:
        return _PostgreSQLPrefixPlan(self.definition.by_prefix, self.dialect, self._schemas)

    @cached_property
    def _elements(self) -> list[TypeEngine[Any] | None]:
        """The types of the arrays' elements, None where a column's type is none for an array."""
        return [
            None
            if isinstance(column.type, _OTHERWISE_COMPARED)
            else next(
                (element for kind, element in _ELEMENTS if isinstance(column.type, kind)), None
            )
            for column in self.definition.key
        ]

    def _statement(self, nulls: tuple[bool, ...]) -> _Texts:
        try:
            return self._statements[nulls]
        except KeyError:
            statement = self._statements[nulls] = self._make(nulls)
            return statement

    @cached_property
    def _statements(self) -> dict[tuple[bool, ...], _Texts]:
        return {}

    def _make(self, nulls: tuple[bool, ...]) -> _Texts:
        asked = [index for index, is_null in enumerate(nulls) if not is_null]
        parts = func.unnest(*[self._array(index) for index in asked])
        names = [f"k{index}" for index in asked]
        keys = parts.table_valued(*names, with_ordinality="n").render_derived(name=KEYS)
        inside, beyond = self._split(nulls)
        wanted = [self._is(index, self.definition.key[index], keys, nulls) for index in inside]
        named = [self.definition.key[index].label(f"beyond_{index}") for index in beyond]
        found = self.fenced(select(*self.selected, *named).where(*wanted)).lateral(
            "dataloader_rows"
        )
        rest = [self._is(index, found.c[f"beyond_{index}"], keys, nulls) for index in beyond]
        joined = keys.join(found, and_(true(), *rest))
        selected = [column for column in found.c if not column.key.startswith("beyond_")]
        statement = select(keys.c.n - literal_column("1"), *selected).select_from(joined)
        return _Texts(self.compiled(statement), self.definition, self.dialect, asked)

    def _split(self, nulls: tuple[bool, ...]) -> tuple[list[int], list[int]]:
        """Returns which parts of a key its rows are found by, and which they are picked by then.

        Without statistics all columns look equally selective, and an index over one of few values
        as good as any: it is kept out, unless the parts have an index together.
        """
        definition = self.definition
        places = list(range(len(nulls)))
        if nulls[0] or not definition.is_indexed_first or definition.is_indexed_together:
            return places, []
        return places[:1], places[1:]

    @staticmethod
    def _is(
        index: int, column: ColumnElement[Any], keys: TableValuedAlias, nulls: tuple[bool, ...]
    ) -> ColumnElement[bool]:
        return column.is_(None) if nulls[index] else column == keys.c[f"k{index}"]

    def _array(self, index: int) -> ScalarSelect[Any]:
        """Returns the values of the key's part number `index` as an array.

        As a subquery, because the planner looks into an array that it can see, and then rather
        plans each statement anew for its number of keys, which takes as long as 20 keys do. What
        it cannot see it takes for ten, whatever comes, and so it keeps the plan after five times.
        https://www.postgresql.org/docs/current/sql-prepare.html#SQL-PREPARE-NOTES
        """
        text = bindparam(f"a{index}", None, type_=types.Text())
        array = func.string_to_array(text, bindparam("separator", None, type_=types.Text()))
        element = self._elements[index]
        return select(cast(array, ARRAY(element or types.Text()))).scalar_subquery()

    def fenced(self, rows: Select[Any]) -> Select[Any]:
        """Has the planner take a key's rows for themselves."""
        return rows.offset(literal_column("0"))


class _PostgreSQLPrefixPlan(PostgreSQLPlan, PrefixPlan):
    """Asks PostgreSQL for the first rows of each prefix."""

    def fenced(self, rows: Select[Any]) -> Select[Any]:
        """Has the planner take a prefix's rows for themselves, so many and no more."""
        return rows.limit(literal_column(str(MAX_ROWS + 1)))


class _Texts:
    """A compiled statement, and how its texts are made from keys."""

    def __init__(
        self, compiled: Compiled, definition: Definition, dialect: Dialect, asked: list[int]
    ) -> None:
        self.text = str(compiled)
        self._order: list[str] | None = getattr(compiled, "positiontup", None)
        self._parts = {
            f"a{index}": (index, column.type.dialect_impl(dialect).bind_processor(dialect))
            for index, column in enumerate(definition.key)
            if index in asked
        }

    def parameters(self, keys: Keys) -> Any:  # noqa: ANN401 - a tuple or a dict, as the driver wants them
        columns: dict[str, list[str]] = {}
        for name, (index, process) in self._parts.items():
            parts = [key[index] for key in keys]
            if process is not None:
                parts = list(map(process, parts))
            columns[name] = parts if type(parts[0]) is str else list(map(str, parts))
        texts = _joined(columns)
        return texts if self._order is None else tuple([texts[name] for name in self._order])


def _joined(columns: dict[str, list[str]]) -> dict[str, str]:
    """Joins texts by a character that none of them has, which goes along as the separator."""
    everything = "".join(chain.from_iterable(columns.values()))
    separators = map(chr, range(0x1F, 0xD800))  # the first is a control character for just this
    separator = next(each for each in separators if each not in everything)
    joined = {name: separator.join(parts) for name, parts in columns.items()}
    return joined | {"separator": separator}
