"""How a database is asked for many keys: one plan for each loader class and database.

A plan turns keys into statements. Each row that comes back starts with the position of its key,
goes on with what rows of one key are ordered by, and ends with the record's columns. This
module has the plan for any database, one plain SELECT for each key, several of them in one
statement: it gives each key exactly the answer of its own query (collations, NULL, types), and
finds its way by index wherever that would. Databases with something better have a module of
their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, Protocol

from sqlalchemy import BigInteger, Integer, bindparam, literal_column, select, union_all

if TYPE_CHECKING:
    from sqlalchemy import ClauseElement, ColumnElement, Dialect, Engine, Select
    from sqlalchemy.sql.compiler import Compiled

    from .definition import Definition

Keys = Sequence[tuple[Any, ...]]
Row = Sequence[Any]


class Connected(Protocol):
    """A connection for one batch."""

    @property
    def engine(self) -> Engine:
        """Whose it is."""

    def __call__(self, text: str, parameters: Any, *, describe: bool) -> tuple[list[Row], Any]:  # noqa: ANN401 - the driver's parameters
        """Runs a statement; returns all rows and, if wanted, the driver's description of them."""

    def inquire(self, text: str, parameters: Any) -> list[Row]:  # noqa: ANN401 - the driver's parameters
        """Runs a statement about the database itself; returns all rows.

        Listeners do not hear of it, just as of SQLAlchemy's own at an engine's first connection:
        a plan asks once for all, and whoever counts a request's statements need not know.
        """


MAX_ROWS: Final = 64
"""Rows of one prefix that are worth having; a column that more of them share is no way to a row."""

KEYS: Final = "dataloader_keys"
"""What statements call the keys: not as tables of applications are called."""

MAX_KEYS: Final = 10_000
"""Keys in one statement at most, where it takes any number: all are written before it begins."""

ARMS: Final = 32
"""Keys in one statement at most: unions have limits (500 in SQLite), and long ones plan slowly."""


class Plan:
    """Asks any database.

    Args:
        definition: What is loaded.
        dialect: The database's dialect, as its engine has it.
        schemas: The engine's `schema_translate_map`, if it has one.
    """

    def __init__(
        self, definition: Definition, dialect: Dialect, schemas: Mapping[str | None, str] | None
    ) -> None:
        self.definition = definition
        self.dialect = dialect
        self._schemas = schemas
        self._processors: list[Callable[[Any], Any] | None] | None = None
        self._compiled: dict[tuple[tuple[bool, ...], int], _Statement] = {}

    def rows(self, execute: Connected, keys: Keys) -> list[Row]:
        """Returns the rows of all keys: (position in `keys`, *lead, *columns).

        Args:
            execute: Runs a statement.
            keys: Keys as `Definition.cast` returns them.
        """
        rows: list[Row] = []
        for nulls, positions in self.by_nulls(keys).items():
            for start in range(0, len(positions), ARMS):
                rows += self._ask(execute, keys, nulls, list(positions[start : start + ARMS]))
        return rows

    def rows_in_parts(self, execute: Connected, keys: Keys) -> list[Row]:
        """Returns the rows of all keys; `rows_of` is asked for those with the same parts NULL."""
        rows: list[Row] = []
        for nulls, positions in self.by_nulls(keys).items():
            if all(nulls):
                rows += self._ask(execute, keys, nulls, list(positions))
                continue
            for start in range(0, len(positions), MAX_KEYS):
                some = positions[start : start + MAX_KEYS]
                if len(some) == len(keys):
                    return self.rows_of(execute, keys, nulls)
                found = self.rows_of(execute, [keys[position] for position in some], nulls)
                rows += placed(found, some)
        return rows

    def rows_of(self, execute: Connected, keys: Keys, nulls: tuple[bool, ...]) -> list[Row]:  # noqa: ARG002 - for databases with a statement for them
        """Returns the rows of keys that have the same parts NULL, MAX_KEYS of them at most."""
        return Plan.rows(self, execute, keys)

    @staticmethod
    def by_nulls(keys: Keys) -> Mapping[tuple[bool, ...], Sequence[int]]:
        """Returns the positions of keys, by which of their parts are NULL."""
        if None not in chain.from_iterable(keys):
            return {(False,) * len(keys[0]): range(len(keys))}
        found: dict[tuple[bool, ...], list[int]] = {}
        for position, key in enumerate(keys):
            found.setdefault(tuple([part is None for part in key]), []).append(position)
        return found

    def rows_by_prefix(self, execute: Connected, prefixes: Keys) -> list[Row]:
        """Returns the rows of all keys that begin with given parts.

        Args:
            execute: Runs a statement.
            prefixes: The first parts, each as a tuple.

        Returns:
            (position in `prefixes`, *lead, *the key's other columns, *columns) for each row; of a
            prefix that more than MAX_ROWS rows have, just one more than that.
        """
        return self._by_prefix.rows(execute, prefixes)

    @cached_property
    def _by_prefix(self) -> Plan:
        """The plan for a key of the first part, whose records begin with the other parts."""
        return PrefixPlan(self.definition.by_prefix, self.dialect, self._schemas)

    def _ask(
        self, execute: Connected, keys: Keys, nulls: tuple[bool, ...], positions: list[int]
    ) -> list[Row]:
        # Sizes are powers of two, the last key repeated, so that few texts are compiled and kept.
        arms = 1 << (len(positions) - 1).bit_length()
        try:
            statement = self._compiled[nulls, arms]
        except KeyError:
            statement = self._compiled[nulls, arms] = self._compile(nulls, arms)
        padded = positions + positions[-1:] * (arms - len(positions))
        parameters = statement.parameters([keys[position] for position in padded])
        return [
            (positions[row[0]], *row[1:])
            for row in self.fetched(execute, statement.text, parameters)
            if row[0] < len(positions)
        ]

    def _compile(self, nulls: tuple[bool, ...], arms: int) -> _Statement:
        selects = [self._select(nulls, arm) for arm in range(arms)]
        statement = selects[0] if arms == 1 else union_all(*selects)
        return _Statement(self.compiled(statement), self.definition, self.dialect, nulls)

    def compiled(self, statement: ClauseElement, *, with_values: bool = False) -> Compiled:
        """Compiles a statement, for the schema that the engine puts in the place of another.

        Args:
            statement: The statement.
            with_values: Whether the values in it are to be part of the text.
        """
        # Some have a limit written into the text, which is left for the execution otherwise.
        how = {"render_postcompile": True, "literal_binds": with_values}
        options: dict[str, Any] = {"compile_kwargs": how}
        if self._schemas:
            options |= {"schema_translate_map": self._schemas, "render_schema_translate": True}
        return statement.compile(dialect=self.dialect, **options)

    def _select(self, nulls: tuple[bool, ...], arm: int) -> Select[Any]:
        wanted = []
        for index, (column, is_null) in enumerate(zip(self.definition.key, nulls, strict=True)):
            # A number that is too large for the column is no row, not an error for the whole batch.
            kind = BigInteger() if isinstance(column.type, Integer) else column.type
            parameter = bindparam(f"a{arm}_{index}", None, type_=kind)
            wanted.append(column.is_(None) if is_null else self.equals(index, column, parameter))
        number: ColumnElement[int] = literal_column(str(arm)).label("n")
        return select(number, *self.selected).where(*wanted)

    def equals(
        self,
        index: int,  # noqa: ARG002 - for databases where the parts are not alike
        column: ColumnElement[Any],
        parameter: ColumnElement[Any],
    ) -> ColumnElement[bool]:
        """Compares the key's column number `index` with its value."""
        return column == parameter

    @cached_property
    def selected(self) -> tuple[ColumnElement[Any], ...]:
        """What a statement selects after the position: the lead and the record's columns."""
        lead = self.definition.lead
        # The same column twice needs two names, or a union would have one of them.
        named = [column.label(f"lead_{index}") for index, column in enumerate(lead)]
        columns = [
            column.label(f"column_{index}") for index, column in enumerate(self.definition.columns)
        ]
        return (*named, *columns)

    def fetched(self, execute: Connected, text: str, parameters: Any) -> list[Row]:  # noqa: ANN401 - the driver's parameters
        """Runs a statement; returns its rows with the values that the columns' types have."""
        # The description is the same each time, and psycopg takes its time to write one.
        rows, description = execute(text, parameters, describe=self._processors is None)
        if self._processors is None:
            before = 1 + len(self.definition.lead)  # these stay as they are: they are only compared
            processors: list[Callable[[Any], Any] | None] = [None] * before
            for column, part in zip(self.definition.columns, description[before:], strict=True):
                kind = column.type.dialect_impl(self.dialect)
                processors.append(kind.result_processor(self.dialect, part[1]))
            self._processors = processors
        if not any(self._processors):
            return rows
        return [
            tuple(
                [
                    value if process is None else process(value)
                    for process, value in zip(self._processors, row, strict=True)
                ]
            )
            for row in rows
        ]


def placed(rows: list[Row], positions: Sequence[int]) -> list[Row]:
    """Returns rows of some of the keys with the positions that those have among all."""
    return [(positions[row[0]], *row[1:]) for row in rows]


class PrefixPlan(Plan):
    """Asks any database for the first rows of each prefix."""

    def _select(self, nulls: tuple[bool, ...], arm: int) -> Select[Any]:
        limited = super()._select(nulls, arm).limit(MAX_ROWS + 1).subquery()
        return select(limited)


class _Statement:
    """A compiled statement, and how its parameters are made from keys."""

    def __init__(
        self,
        compiled: Compiled,
        definition: Definition,
        dialect: Dialect,
        nulls: tuple[bool, ...],
    ) -> None:
        self.text = str(compiled)
        # Those that do not come from keys: a limit.
        self._fixed = {name: value for name, value in compiled.params.items() if value is not None}
        self._order: list[str] | None = getattr(compiled, "positiontup", None)
        self._processors = [
            None
            if is_null
            else (column.type.dialect_impl(dialect).bind_processor(dialect) or _same)
            for column, is_null in zip(definition.key, nulls, strict=True)
        ]

    def parameters(self, keys: Keys) -> Any:  # noqa: ANN401 - a tuple or a dict, as the driver wants them
        named = self._fixed | {
            f"a{arm}_{index}": process(part)
            for arm, key in enumerate(keys)
            for index, (part, process) in enumerate(zip(key, self._processors, strict=True))
            if process is not None
        }
        return named if self._order is None else tuple([named[name] for name in self._order])


def _same(value: Any) -> Any:  # noqa: ANN401 - a key part is of any type
    return value
