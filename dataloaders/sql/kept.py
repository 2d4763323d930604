"""The forms in which tiers keep records: their columns' values, and not the records themselves.

A record that is kept would be changed for everybody by whoever changes it. Values can also be
sent to other processes as data.
"""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from functools import cached_property
from operator import attrgetter
from types import GenericAlias
from typing import TYPE_CHECKING, Any

from sqlalchemy import types

from dataloaders.batch import MISSING
from dataloaders.errors import ConfigurationError
from dataloaders.form import Form

from .prefix import UNKNOWN, PrefixAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from sqlalchemy.types import TypeEngine

    from .definition import Definition

    Values = tuple[Any, ...]

_TYPES: tuple[tuple[type[TypeEngine[Any]], Any], ...] = (
    (types.Boolean, bool),
    (types.LargeBinary, bytes),
    (types.Integer, int),
    (types.DateTime, dt.datetime),
    (types.Date, dt.date),
    (types.Time, dt.time),
    (types.Interval, dt.timedelta),
    (types.JSON, Any),
)


def wire_type(column_type: TypeEngine[Any]) -> Any:  # noqa: ANN401 - a type, or what stands for one
    """Returns the Python type of a column's values, None if there is none for certain."""
    if isinstance(column_type, types.TypeDecorator):
        return None
    if isinstance(column_type, types.Enum):
        return column_type.enum_class or str
    if isinstance(column_type, types.Uuid):
        return uuid.UUID if column_type.as_uuid else str
    if isinstance(column_type, types.Numeric | types.Float):
        return decimal.Decimal if column_type.asdecimal else float
    if isinstance(column_type, types.String):
        return str
    return next((python for kind, python in _TYPES if isinstance(column_type, kind)), None)


class RecordForm(Form):
    """Keeps one record for a key, or the rows of the first part of one.

    As data, each is a list of rows, with the other parts of the key in front of the columns. They
    are None where a whole key was asked for, which has one row at most.
    """

    def __init__(self, definition: Definition) -> None:
        self._definition = definition
        self._make: Callable[..., Any] = definition.record
        self.record: Callable[..., Any] | None = self._make
        self._length = len(definition.key)
        self._rest = (None,) * (self._length - 1)

    @cached_property
    def _values_of(self) -> Callable[[Any], Values]:
        names = [str(column.key) for column in self._definition.columns]
        own = getattr(self._make, "__slots__", None)
        names = list(own) if own and len(own) == len(names) else names
        if len(names) == 1:
            name = names[0]
            return lambda record: (getattr(record, name),)
        return attrgetter(*names)

    def values_of(self, record: Any) -> Values:  # noqa: ANN401 - what the loader's `record` makes
        """Returns the values that a record was made of.

        Raises:
            ConfigurationError: It does not have them as attributes.
        """
        try:
            return self._values_of(record)
        except AttributeError:
            expected = "a class whose attributes are the columns, for its loader to have tiers"
            name = f"{self._definition.loader}.record"
            raise ConfigurationError(name, expected, type(record)) from None

    @cached_property
    def wire_type(self) -> Any:  # noqa: ANN401 - a type
        """The type of what `to_wire` returns.

        Raises:
            ConfigurationError: The values of a column are of no type that can be sent as data.
        """
        columns = (*self._definition.key[1:], *self._definition.columns)
        kinds = [wire_type(column.type) for column in columns]
        for column, kind in zip(columns, kinds, strict=True):
            if kind is None:
                expected = "of a type that can be sent as data, for its loader to have Redis"
                name = f"{self._definition.loader}'s column {column.key}"
                raise ConfigurationError(name, expected, column.type)
        values = [kind if kind is Any else kind | None for kind in kinds]
        return GenericAlias(list, (GenericAlias(tuple, tuple(values)),)) | None

    def to_kept(self, answer: Any) -> Values | None:  # noqa: ANN401 - a record
        """Returns a record's values."""
        return None if answer is None else self.values_of(answer)

    def from_kept(self, kept: Values | None) -> Any:  # noqa: ANN401 - a record
        """Returns a record of values."""
        return None if kept is None else self._make(*kept)

    def to_wire(self, key: Any, answer: Any) -> Any:  # noqa: ANN401, ARG002 - a cast key and its answer; rows
        """Returns the rows of a key; MISSING where there are too many to tell."""
        if answer is None:
            return None
        if answer is UNKNOWN:
            return MISSING
        if isinstance(answer, PrefixAnswer):
            return [(*rest, *self.values_of(record)) for rest, record in answer.rows]
        return [(*self._rest, *self.values_of(answer))]

    def from_wire(self, key: Any, wire: list[Values] | None) -> Any:  # noqa: ANN401 - as above
        """Returns the answer of rows."""
        rest = self._length - 1
        if len(key) < self._length:
            return PrefixAnswer([(row[:rest], self._make(*row[rest:])) for row in wire or ()])
        return self._make(*wire[0][rest:]) if wire else None

    def whole(self, key: Any, answer: Any) -> Iterable[tuple[Hashable, Any]]:  # noqa: ANN401 - as above
        """Returns the record of each single key of which an answer says something."""
        if not isinstance(answer, PrefixAnswer):
            return ((key, answer),)
        rests = dict.fromkeys([rest for rest, _ in answer.rows])
        known = [(key + rest, answer.answer(rest)) for rest in rests]
        return [(whole, record) for whole, record in known if record is not MISSING]

    def is_nothing(self, answer: Any) -> bool:  # noqa: ANN401 - as above
        """Whether there is no row."""
        return answer is None or (isinstance(answer, PrefixAnswer) and not answer.rows)

    def implied(self, found: dict[Any, Any], keys: list[Any]) -> dict[Any, Any]:
        """Returns that nothing more is known of first parts, where each whole key of theirs is.

        Look-ahead asks for both, in case a loop asks for other parts than its rows have.
        """
        known = {key[:1] for key in found if len(key) == self._length}
        known -= {key[:1] for key in keys if len(key) == self._length and key not in found}
        return {key: UNKNOWN for key in keys if len(key) < self._length and key in known}

    def without_answer(self, key: Any) -> Any:  # noqa: ANN401 - as above
        """Returns the answer to a key about which nothing can be said for now."""
        return UNKNOWN if len(key) < self._length else None


class GroupForm(RecordForm):
    """Keeps the records of a key."""

    def __init__(self, definition: Definition) -> None:
        super().__init__(definition)
        self.record = None

    def to_kept(self, answer: Any) -> Values | None:  # noqa: ANN401 - a list of records
        """Returns the values of each record."""
        return tuple([self.values_of(record) for record in answer])

    def from_kept(self, kept: Values | None) -> Any:  # noqa: ANN401 - as above
        """Returns records of values."""
        return [self._make(*values) for values in kept or ()]

    def to_wire(self, key: Any, answer: Any) -> list[Values] | None:  # noqa: ANN401, ARG002 - a cast key, and its records
        """Returns the rows of a key."""
        return [(*self._rest, *self.values_of(record)) for record in answer] or None

    def from_wire(self, key: Any, wire: list[Values] | None) -> Any:  # noqa: ANN401, ARG002 - as above
        """Returns the records of rows."""
        return [self._make(*row[len(self._rest) :]) for row in wire or ()]

    def whole(self, key: Any, answer: Any) -> Iterable[tuple[Hashable, Any]]:  # noqa: ANN401 - as above
        """Returns the answer."""
        return ((key, answer),)

    def is_nothing(self, answer: Any) -> bool:  # noqa: ANN401 - as above
        """Whether there is no row."""
        return not answer

    def without_answer(self, key: Any) -> Any:  # noqa: ANN401, ARG002 - as above
        """Returns that there are no rows."""
        return []
