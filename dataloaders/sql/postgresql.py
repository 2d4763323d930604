"""PostgreSQL: an array for each part of the keys, and for each key a look into the index.

One statement text serves every number of keys. `unnest` makes a table of the arrays, and each of
its rows looks for its own: the planner cannot take a subquery with an OFFSET apart, so whatever
it thinks of the number of keys, it never reads the table from one end to the other to join it.
https://www.postgresql.org/docs/current/functions-array.html
https://www.postgresql.org/docs/current/queries-table-expressions.html#QUERIES-LATERAL
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, func, literal_column, select, true, types
from sqlalchemy.dialects.postgresql import ARRAY

from .plan import MAX_ROWS, Plan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import ColumnElement, Select
    from sqlalchemy.types import TypeEngine

    from .plan import Execute, Keys, Row

MAX_KEYS: Final = 10_000
"""Keys in one statement, at most: the driver writes them all before the server begins."""

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

    def rows(self, execute: Execute, keys: Keys) -> list[Row]:
        """Returns the rows of all keys; see `Plan.rows`."""
        if len(keys) == 1 or None in self._elements:
            return super().rows(execute, keys)
        rows: list[Row] = []
        for nulls, positions in self.by_nulls(keys).items():
            if all(nulls):
                rows += self._ask(execute, keys, nulls, positions)
                continue
            statement = self._statement(nulls)
            for start in range(0, len(positions), MAX_KEYS):
                some = positions[start : start + MAX_KEYS]
                found = execute(statement.text, statement.parameters([keys[each] for each in some]))
                rows += [(some[row[0] - 1], *row[1:]) for row in self.processed(*found)]
        return rows

    @cached_property
    def _by_prefix(self) -> Plan:
        return _PostgreSQLPrefixPlan(self._prefix_definition, self.dialect, self._schemas)

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

    def _statement(self, nulls: tuple[bool, ...]) -> _Arrays:
        try:
            return self._statements[nulls]
        except KeyError:
            statement = self._statements[nulls] = self._make(nulls)
            return statement

    @cached_property
    def _statements(self) -> dict[tuple[bool, ...], _Arrays]:
        return {}

    def _make(self, nulls: tuple[bool, ...]) -> _Arrays:
        arrays = {
            index: ARRAY(element)
            for index, (element, is_null) in enumerate(zip(self._elements, nulls, strict=True))
            if element is not None and not is_null
        }
        given = [bindparam(f"a{index}", type_=kind) for index, kind in arrays.items()]
        names = [f"k{index}" for index in arrays]
        keys = func.unnest(*given).table_valued(*names, with_ordinality="n")
        keys = keys.render_derived(name="k")
        wanted = [
            column.is_(None) if nulls[index] else column == keys.c[f"k{index}"]
            for index, column in enumerate(self.definition.key)
        ]
        found = self.fenced(select(*self.selected).where(*wanted)).lateral("found")
        number: ColumnElement[int] = keys.c.n
        statement = select(number, *found.c).select_from(keys.join(found, true()))
        compiled = self.compiled(statement)
        processors = {
            f"a{index}": (index, kind.dialect_impl(self.dialect).bind_processor(self.dialect))
            for index, kind in arrays.items()
        }
        return _Arrays(str(compiled), getattr(compiled, "positiontup", None), processors)

    def fenced(self, rows: Select[Any]) -> Select[Any]:
        """Has the planner take a key's rows for themselves."""
        return rows.offset(literal_column("0"))


class _PostgreSQLPrefixPlan(PostgreSQLPlan):
    """Asks PostgreSQL for the first rows of each prefix."""

    def fenced(self, rows: Select[Any]) -> Select[Any]:
        """Has the planner take a prefix's rows for themselves, so many and no more."""
        return rows.limit(literal_column(str(MAX_ROWS + 1)))


class _Arrays:
    """A compiled statement, and how its arrays are made from keys."""

    def __init__(
        self,
        text: str,
        order: list[str] | None,
        processors: Mapping[str, tuple[int, Callable[[Any], Any] | None]],
    ) -> None:
        self.text = text
        self._order = order
        self._processors = processors

    def parameters(self, keys: Keys) -> Any:  # noqa: ANN401 - a tuple or a dict, as the driver wants them
        columns = list(zip(*keys, strict=True))
        arrays = {
            name: list(columns[index]) if process is None else process(list(columns[index]))
            for name, (index, process) in self._processors.items()
        }
        return arrays if self._order is None else tuple([arrays[name] for name in self._order])
