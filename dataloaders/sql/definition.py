"""What a TableLoader's class attributes mean: its table, key, columns and records."""

from __future__ import annotations

import re
from dataclasses import dataclass, make_dataclass, replace
from functools import cached_property
from itertools import chain
from keyword import iskeyword
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BIGINT,
    INTEGER,
    SMALLINT,
    TEXT,
    VARCHAR,
    BigInteger,
    FromClause,
    Integer,
    PrimaryKeyConstraint,
    SmallInteger,
    String,
    Table,
    Text,
    Unicode,
    UnicodeText,
    UniqueConstraint,
    inspect,
)
from sqlalchemy.exc import NoInspectionAvailable

from dataloaders.errors import ConfigurationError, InvalidKeyError

from .cast import cast_type, caster_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import ColumnElement


@dataclass(frozen=True)
class Definition:
    """A loader class's table, resolved.

    Attributes:
        loader: The class's name, for error messages.
        table: The table or view.
        key: The columns that a key's parts stand for.
        columns: The columns that make a record, in its order.
        ranked_by: What tells rows of one key apart: the primary key, by which the lowest wins, or
            for a view, which has none, a column of the key.
        record: Makes a record of one row's values.
        casters: What casts each part of a key to its column's type.
        cast_types: The types of the parts of a key that needs no casting.
    """

    loader: str
    table: FromClause
    key: tuple[ColumnElement[Any], ...]
    columns: tuple[ColumnElement[Any], ...]
    ranked_by: tuple[ColumnElement[Any], ...]
    record: Callable[..., Any]
    casters: tuple[Callable[[Any], Any], ...]
    cast_types: tuple[type | None, ...]

    @cached_property
    def lead(self) -> tuple[ColumnElement[Any], ...]:
        """The columns that a row has before those of its record, because they rank it."""
        return tuple(column for column in self.ranked_by if not self._ranks_in_record(column))

    @cached_property
    def rank(self) -> Callable[[Sequence[Any]], Any]:
        """Returns what a row of a plan is ranked by."""
        places = [
            1 + len(self.lead) + _index(self.columns, column)
            if self._ranks_in_record(column)
            else 1 + _index(self.lead, column)
            for column in self.ranked_by
        ]
        return itemgetter(*places)

    def _ranks_in_record(self, column: ColumnElement[Any]) -> bool:
        # A value that was made of the database's may have an order of its own, or none.
        return type(column.type) in _COMPARABLE and _index(self.columns, column) >= 0

    @cached_property
    def by_prefix(self) -> Definition:
        """The same by the first part of the key alone; its columns begin with the other parts."""
        return replace(
            self,
            key=self.key[:1],
            columns=(*self.key[1:], *self.columns),
            casters=self.casters[:1],
            cast_types=self.cast_types[:1],
        )

    def cast(self, key: Any) -> tuple[Any, ...]:  # noqa: ANN401 - a caller may pass anything
        """Returns a key as a tuple of values of its columns' types.

        Raises:
            InvalidKeyError: It has the wrong number of parts, or one that its column cannot hold.
        """
        if not isinstance(key, tuple):
            key = (key,)
        types = tuple(map(type, key))
        if types == self.cast_types and (int not in types or _in_range(key)):
            return tuple(key)
        if len(key) != len(self.casters):
            raise InvalidKeyError(
                self.loader,
                key[0] if len(key) == 1 else key,
                f"a tuple of {len(self.key)} parts ({self._parts()})",
                "Pass one value for each part, None for one that is NULL.",
            )
        try:
            return tuple(
                [
                    part if part is None else caster(part)
                    for part, caster in zip(key, self.casters, strict=True)
                ]
            )
        except (TypeError, ValueError, OverflowError, AttributeError):
            held = ", ".join(f"{column.name}: {column.type}" for column in self.key)
            remedy = "Pass a value that the column can hold."
            raise InvalidKeyError(self.loader, key, f"parts for {held}", remedy) from None

    def cast_prefix(self, part: Any) -> tuple[Any, ...] | None:  # noqa: ANN401 - a caller may pass anything
        """Returns the first part of a key as a key of its own, or None if no row can have it."""
        if type(part) is self.cast_types[0] and type(part) is not int:
            return (part,)
        try:
            return (None if part is None else self.casters[0](part),)
        except (TypeError, ValueError, OverflowError, AttributeError):
            return None

    @cached_property
    def is_selective(self) -> bool:
        """Whether the first part of a key alone finds its few rows, by an index.

        That is so if the key has more parts, an index starts with the first one's column, and the
        others are of types that Python compares as databases do.
        """
        return (
            len(self.key) > 1
            and self.is_indexed_first
            and all(type(column.type) in _COMPARABLE for column in self.key[1:])
        )

    @cached_property
    def is_indexed_first(self) -> bool:
        """Whether an index begins with the first part of the key."""
        return any(columns[0] is self.key[0] for columns in self._indexes)

    @cached_property
    def is_indexed_together(self) -> bool:
        """Whether an index begins with the first two parts of the key, in any order."""
        parts = {id(column) for column in self.key[:2]}
        return any({id(column) for column in columns[:2]} == parts for columns in self._indexes)

    @cached_property
    def _indexes(self) -> list[list[Any]]:
        """The columns of each index that the table is said to have."""
        if not isinstance(self.table, Table):
            return []
        # An index of some of the rows will not do.
        indexes: list[list[Any]] = [
            list(index.expressions)
            for index in self.table.indexes
            if not any("where" in option for option in index.dialect_kwargs)
        ]
        indexes += [
            list(constraint.columns)
            for constraint in self.table.constraints
            if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint)
        ]
        return [columns for columns in indexes if columns]

    @cached_property
    def is_text(self) -> bool:
        """Whether all parts of a key are text, of which equal ones are of one type, too."""
        return set(self.cast_types) == {str}

    def are_cast(self, keys: list[Any]) -> bool:
        """Whether keys need no casting, as far as a look at all of them together can tell."""
        return (
            self._sole_type is not None
            and set(map(type, keys)) == _TUPLES
            and set(map(len, keys)) == {len(self.key)}
            and set(map(type, chain.from_iterable(keys))) == self._sole_type
            and (int not in self._sole_type or _in_range(chain.from_iterable(keys)))
        )

    @cached_property
    def _sole_type(self) -> set[type | None] | None:
        """The type that all parts of a key are cast to, as a set, or None if they differ."""
        types = set(self.cast_types)
        return types if len(types) == 1 else None

    def _parts(self) -> str:
        return ", ".join(str(column.key) for column in self.key)


_TUPLES = {tuple}

_COMPARABLE = frozenset(
    {
        String,
        Text,
        Unicode,
        UnicodeText,
        VARCHAR,
        TEXT,
        Integer,
        BigInteger,
        INTEGER,
        BIGINT,
        SmallInteger,
        SMALLINT,
    }
)


def _index(columns: Sequence[ColumnElement[Any]], wanted: ColumnElement[Any]) -> int:
    """Returns where a column is, or -1; columns themselves make SQL of being compared."""
    return next((index for index, column in enumerate(columns) if column is wanted), -1)


def _in_range(parts: Iterable[Any]) -> bool:
    """Whether the integers among key parts fit into 64 bits, as those of databases do."""
    return all(type(part) is not int or -(2**63) <= part < 2**63 for part in parts)


def define(
    loader: str,
    table: object,
    key: tuple[str, ...],
    columns: tuple[str, ...] | None,
    record: Callable[..., Any] | None,
) -> Definition:
    """Resolves a loader class's attributes.

    Args:
        loader: The class's name.
        table: A Core table or view, or a mapped class.
        key: The names of the key's columns.
        columns: The names of the columns to load; None for all.
        record: Called with a row's values in the order of `columns`; None to have a dataclass
            with slots made.

    Raises:
        ConfigurationError: The table is none, or has no such columns.
    """
    source = from_clause(loader, table)
    available = {str(column.key): column for column in source.columns}
    if not (key and type(key) is tuple):
        raise ConfigurationError(f"{loader}.key", "a tuple of column names", key)
    for attribute, names in (("key", key), ("columns", columns or ())):
        unknown = [name for name in names if name not in available]
        if unknown:
            expected = f"names of columns of {source.description}: {', '.join(available)}"
            raise ConfigurationError(f"{loader}.{attribute}", expected, unknown)
    wanted = tuple(available) if columns is None else columns
    if record is None:
        fields = [re.sub(r"\W", "_", name) + "_" * iskeyword(name) for name in wanted]
        record = make_dataclass(f"{loader}Record", fields, slots=True)
    return Definition(
        loader=loader,
        table=source,
        key=tuple(available[name] for name in key),
        columns=tuple(available[name] for name in wanted),
        ranked_by=tuple(getattr(source, "primary_key", ())) or (available[key[0]],),
        record=record,
        casters=tuple(caster_for(available[name].type) for name in key),
        cast_types=tuple(cast_type(available[name].type) for name in key),
    )


def from_clause(loader: str, table: object) -> FromClause:
    """Returns the table of a mapped class, or the table itself.

    Raises:
        ConfigurationError: It is neither.
    """
    if isinstance(table, FromClause):
        if table.compile().params:
            expected = "a table or a selection without parameters of its own"
            raise ConfigurationError(f"{loader}.table", expected, table)
        return table
    try:
        mapper = inspect(table)
    except NoInspectionAvailable:
        mapper = None
    selectable = getattr(mapper, "local_table", None)
    inherits = getattr(mapper, "inherits", None)
    if inherits is not None and inherits.local_table is selectable:
        expected = "a class with a table of its own (this one's rows stand among its parent's)"
        raise ConfigurationError(f"{loader}.table", expected, table)
    if not isinstance(selectable, FromClause):
        raise ConfigurationError(f"{loader}.table", "a table or a mapped class", table)
    return selectable
