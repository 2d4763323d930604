"""JSON without floats: amounts of money are read as Decimal and written as text."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

from flask.json.provider import DefaultJSONProvider

if TYPE_CHECKING:
    from collections.abc import Callable


def loads(text: str | bytes) -> object:
    """Reads a JSON document; raises a ValueError if it is none, or holds NaN or an infinity."""
    document: object = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    return document


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _as_json(value: Any) -> Any:  # noqa: ANN401 - whatever is to be written
    """Returns the fields of a record, as they are; Flask would copy all that is in them, too.

    Of anything else it returns what Flask does, which makes text of a Decimal.
    """
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return DefaultJSONProvider.default(value)


class ExactJSONProvider(DefaultJSONProvider):
    """What Flask reads and writes JSON with."""

    sort_keys = False
    default: Callable[[Any], Any] = staticmethod(_as_json)

    def loads(self, s: str | bytes, **_options: object) -> object:
        """Reads a JSON document; see `loads`."""
        return loads(s)
