"""Kite's own side: an account is kept in its terms, so that nothing is to be translated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .api import Api
from .prices import candles, close_paise, last_paise, rupees_of, volume

if TYPE_CHECKING:
    from .account import BrokerAccount
    from .api import Asked


def _positions(account: BrokerAccount, _asked: Asked) -> object:
    return {"net": account.positions, "day": account.day_positions}


def _place(account: BrokerAccount, asked: Asked) -> object:
    return {"order_id": account.place(asked.document)}


def _margin(account: BrokerAccount, asked: Asked) -> object:
    total = rupees_of(account.margin_of(asked.document))
    return {"initial": {"total": total}, "final": {"total": total}}


def _quotes(account: BrokerAccount, asked: Asked) -> object:
    names = asked.query["i"]
    tokens = {name: account.listing.token_of(*reversed(name.split(":", 1))) for name in names}
    return {name: _quote(token) for name, token in tokens.items() if token is not None}


def _quote(token: int) -> object:
    return {
        "instrument_token": token,
        "last_price": rupees_of(last_paise(token)),
        "volume": volume(token),
        "ohlc": {"close": rupees_of(close_paise(token))},
    }


def _candles(account: BrokerAccount, asked: Asked) -> object:
    token = asked.path["token"]
    account.listing.check_tokens([token])
    span = (asked.query["from"][0], asked.query["to"][0])
    return {
        "candles": [
            [time, *map(rupees_of, prices), traded]
            for time, *prices, traded in candles(int(token), asked.path["interval"], *span)
        ]
    }


def _subscribe(account: BrokerAccount, asked: Asked) -> object:
    mode, tokens = asked.document["v"] if asked.document.get("a") == "mode" else ("", [])
    account.listing.check_tokens(tokens)
    return {"mode": mode, "tokens": tokens}


def _success(data: object) -> dict[str, object]:
    return {"status": "success", "data": data}


def _failure(message: str) -> dict[str, object]:
    return {"status": "error", "error_type": "InputException", "message": message, "data": None}


API: Final = Api(
    routes={
        ("GET", "/orders"): lambda account, _asked: account.orders(),
        ("GET", "/trades"): lambda account, _asked: account.trades(),
        ("GET", "/portfolio/positions"): _positions,
        ("GET", "/portfolio/holdings"): lambda account, _asked: account.holdings,
        ("POST", "/orders/regular"): _place,
        ("POST", "/margins/basket"): _margin,
        ("GET", "/quote"): _quotes,
        ("GET", "/instruments/historical/<token>/<interval>"): _candles,
        ("POST", "/ticker/subscriptions"): _subscribe,
    },
    success=_success,
    failure=_failure,
)
