"""How parts of keys go to MariaDB and MySQL through JSON, and are there what their literals are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import types
from sqlalchemy.dialects.mysql import SET

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from decimal import Decimal

    from sqlalchemy import Dialect
    from sqlalchemy.types import TypeEngine

TEXT: Final = "JSON"
"""The kind of column that a text comes out of, still in its quotes."""

_DIGITS: Final = 65
_PLACES: Final = 30


class LostError(ValueError):
    """A part of a key is not the same after a way through JSON."""


def column_kind(column_type: TypeEngine[Any]) -> str | None:
    """Returns what column of JSON_TABLE the parts for a column come out of, None if of none.

    Args:
        column_type: The dialect's own.
    """
    if isinstance(column_type, _OTHERWISE_COMPARED):
        return None
    return next((kind for each, kind, _ in _KINDS if isinstance(column_type, each)), None)


def to_json(column_type: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """Returns what makes JSON's values of a key's parts, None if they are that.

    It raises LostError for a part that would not come out of JSON as it is.

    Args:
        column_type: The dialect's own.
        dialect: The database's dialect.
    """
    process = column_type.bind_processor(dialect)
    convert = next((convert for each, _, convert in _KINDS if isinstance(column_type, each)), None)
    if convert is _datetime and getattr(column_type, "fsp", None):
        convert = _exact_datetime
    if process is None or convert is None:
        return process or convert
    return lambda part: convert(process(part))


def _decimal(part: Decimal) -> str:
    if not part.is_finite() or part.adjusted() >= _DIGITS - _PLACES:
        raise LostError
    written = f"{part:f}"
    if len(written.partition(".")[2]) > _PLACES:
        raise LostError
    return written


def _datetime(part: dt.datetime) -> str:
    # Whether whole seconds equal what has a fraction depends on the index that the server goes by.
    if part.microsecond:
        raise LostError
    return _exact_datetime(part)


def _exact_datetime(part: dt.datetime) -> str:
    if part.tzinfo is not None:
        raise LostError  # drivers differ in what they make of it
    return part.isoformat(" ")


def _date(part: dt.date) -> str:
    return part.isoformat()


# What is beyond its column's range is no row, and not an error.
_KINDS: Final[tuple[tuple[type[TypeEngine[Any]], str, Callable[[Any], Any] | None], ...]] = (
    (types.Integer, "BIGINT", None),
    (types.Boolean, "BIGINT", int),
    (types.String, TEXT, None),
    (types.Uuid, TEXT, str),
    (types.Numeric, f"DECIMAL({_DIGITS}, {_PLACES})", _decimal),
    (types.DateTime, "DATETIME(6)", _datetime),
    (types.Date, "DATE", _date),
)
# Up to SQLAlchemy 2.0 a Float is a Numeric, too.
_OTHERWISE_COMPARED: Final = (types.Enum, SET, types.Float, types.TIMESTAMP)
