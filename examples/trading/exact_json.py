"""JSON without floats: amounts of money are read as Decimal and written as text."""

from __future__ import annotations

import json
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


class ExactJSONProvider(DefaultJSONProvider):
    """What Flask reads and writes JSON with; its writing side makes text of a Decimal already."""

    sort_keys = False
    default: Callable[[Any], Any] = staticmethod(DefaultJSONProvider.default)

    def loads(self, s: str | bytes, **_options: object) -> object:
        """Reads a JSON document; see `loads`."""
        return loads(s)
