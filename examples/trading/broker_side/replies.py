"""The brokers' own side, without the wire: one account, for clients of every broker at once.

The brokers' paths differ, so that each request says which broker is meant.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule

from .api import Api, Asked
from .errors import OrderRefusedError
from .kite import API as KITE
from .ordinal import API as ORDINAL
from .wicker import API as WICKER

if TYPE_CHECKING:
    from .account import BrokerAccount

_LOG: Final = Api(
    routes={("GET", "/log"): lambda account, _asked: account.placed()},
    success=lambda placed: {"placed": placed},
    failure=lambda message: {"message": message},
)
"""What no client of a broker's can see: all orders, for who checks the application."""

_ROUTES: Final = Map(
    [
        Rule(path, methods=[method], endpoint=(api, answer))
        for api in (KITE, ORDINAL, WICKER, _LOG)
        for (method, path), answer in api.routes.items()
    ]
).bind("broker")


def reply_to(
    account: BrokerAccount, method: str, target: str, body: bytes
) -> tuple[int, dict[str, Any]]:
    """Answers a request.

    Args:
        account: The account that it is about.
        method: Of HTTP.
        target: The path, and what follows it.
        body: JSON, or nothing.

    Returns:
        The status, and the document.
    """
    path, _, query = target.partition("?")
    try:
        (api, answer), variables = _ROUTES.match(path, method)
    except HTTPException:
        return 404, {"message": f"There is no {method} {path}."}
    try:
        asked = Asked(json.loads(body) if body else None, parse_qs(query), variables)
        return 200, api.success(answer(account, asked))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        return 400, api.failure(f"The message is not readable: {error!r}.")
    except OrderRefusedError as error:
        return 400, api.failure(str(error))
