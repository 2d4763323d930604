"""Key parts as the values that their columns hold.

Callers pass what they have: brokers send numbers where the column is text, JSON has text where
it is a number or a date. SQLite would compare them anyhow, PostgreSQL refuses, and a cache would
take them for different keys; so each part is cast to its column's type before anything else.
"""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import uuid
from typing import TYPE_CHECKING, Any

from sqlalchemy import types

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.types import TypeEngine


def caster_for(column_type: TypeEngine[Any]) -> Callable[[Any], Any]:
    """Returns what casts a key part, which is not None, to a column's type.

    The caster raises ValueError or TypeError for a part that no row can equal.
    """
    return _kind(column_type)[0]


def cast_type(column_type: TypeEngine[Any]) -> type | None:
    """Returns the type of what the caster of a column's type returns, or None if it may differ."""
    return _kind(column_type)[1]


def _kind(column_type: TypeEngine[Any]) -> tuple[Callable[[Any], Any], type | None]:
    if isinstance(column_type, types.Uuid) and not column_type.as_uuid:
        return _uuid_text, str
    for kind, caster, cast in _CASTERS:
        if isinstance(column_type, kind):
            return caster, cast
    return _as_given, None


def _as_given(part: Any) -> Any:  # noqa: ANN401 - a caller may pass anything
    return part


def _plain(part: Any) -> Any:  # noqa: ANN401 - a caller may pass anything
    if isinstance(part, enum.Enum):
        return _plain(part.value)
    item = getattr(part, "item", None)
    return item() if callable(item) else part  # numpy's numbers


def _text(part: Any) -> str:  # noqa: ANN401 - a caller may pass anything
    part = _plain(part)
    if isinstance(part, str):
        return str.__str__(part)
    if isinstance(part, bool):
        return str(int(part))  # as databases without a boolean type store it
    if isinstance(part, bytes | bytearray | list | dict | set):
        raise TypeError
    return str(part)


def _integer(part: Any) -> int:  # noqa: ANN401 - a caller may pass anything
    part = _plain(part)
    if isinstance(part, str) and "_" in part:
        raise ValueError  # Python's own notation
    number = int(part)
    if not (isinstance(part, str) or number == part) or not -(2**63) <= number < 2**63:
        raise ValueError
    return number


def _float(part: Any) -> float:  # noqa: ANN401 - a caller may pass anything
    return float(_plain(part))


def _decimal(part: Any) -> decimal.Decimal:  # noqa: ANN401 - a caller may pass anything
    part = _plain(part)
    try:
        return decimal.Decimal(repr(float(part)) if isinstance(part, float) else part)
    except decimal.InvalidOperation:
        raise ValueError from None


def _boolean(part: Any) -> bool:  # noqa: ANN401 - a caller may pass anything
    if part not in (0, 1):
        raise ValueError
    return bool(part)


def _bytes(part: Any) -> bytes:  # noqa: ANN401 - a caller may pass anything
    if isinstance(part, str | int):
        raise TypeError
    return bytes(part)


def _datetime(part: Any) -> dt.datetime:  # noqa: ANN401 - a caller may pass anything
    if isinstance(part, str):
        return dt.datetime.fromisoformat(part)
    if isinstance(part, dt.datetime):
        return part
    raise TypeError


def _date(part: Any) -> dt.date:  # noqa: ANN401 - a caller may pass anything
    if isinstance(part, str):
        return dt.date.fromisoformat(part)
    if isinstance(part, dt.date) and not isinstance(part, dt.datetime):
        return part
    raise TypeError


def _time(part: Any) -> dt.time:  # noqa: ANN401 - a caller may pass anything
    if isinstance(part, str):
        return dt.time.fromisoformat(part)
    if isinstance(part, dt.time):
        return part
    raise TypeError


def _uuid(part: Any) -> uuid.UUID:  # noqa: ANN401 - a caller may pass anything
    return part if isinstance(part, uuid.UUID) else uuid.UUID(part)


def _uuid_text(part: Any) -> str:  # noqa: ANN401 - a caller may pass anything
    return str(_uuid(part))


_CASTERS: tuple[tuple[type[TypeEngine[Any]], Callable[[Any], Any], type | None], ...] = (
    (types.Enum, _as_given, None),  # before String, which it is too
    (types.Boolean, _boolean, bool),
    (types.String, _text, str),
    (types.Integer, _integer, int),
    (types.Float, _float, float),
    (types.Numeric, _decimal, decimal.Decimal),
    (types.DateTime, _datetime, dt.datetime),
    (types.Date, _date, dt.date),
    (types.Time, _time, dt.time),
    (types.Uuid, _uuid, uuid.UUID),
    (types.LargeBinary, _bytes, bytes),
)
