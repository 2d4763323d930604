"""Generated requests, and the broker's accounts that they meet."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from hypothesis import strategies as st

from examples.trading.brokers.registry import BROKERS
from examples.trading.requests import ACTIONS, INTERVALS, MODES, PRICE_TYPES, PRODUCTS

from .odd_contract import ODD

if TYPE_CHECKING:
    from collections.abc import Sequence

Row = dict[str, Any]

ROWS: Final = 40
"""The most rows of a book, and symbols of a body."""

BODIES: Final = (
    "/basket",
    "/split",
    "/margin",
    "/subscription",
    "/quotes",
    "/history",
    "/analytics",
)

_EXCHANGES = ("NSE", "BSE", "NFO", "MCX", "NSE_INDEX", "OTHER", "XX")
_ODD_EXCHANGES = ("nse", "Nfo", " NSE", "BSE ", "NSÉ")
_NAMES = ("NOSUCH", "GONE", "EXPIRED26JUL100CE", "0", "1", "12345678")
_ODD_NAMES = ("nosuch", "None", "-", "ÄÖÜ", "é", "'; DROP TABLE symtoken", "%", "_", "SBIN\u00a0")
_AMOUNTS = (0, 0.05, 1, 99.95, 100.1, 812.35, 72, 2_100.1, 1e-05)
_TIMES = (
    "2026-08-18 09:15:00",
    "2026-08-18 10:15:00",
    "2026-08-19 09:15:00",
    "2025-01-01 00:00:00",
)


@dataclass(frozen=True)
class Account:
    """What a broker's account has, in rows as Kite Connect sends them."""

    positions: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    day_positions: list[Row] = field(default_factory=list)
    trades: list[Row] = field(default_factory=list)
    holdings: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Request:
    """What a client sends, and what the broker has then.

    Attributes:
        kind: What of the application it is about.
        method: GET or POST.
        path: Where it goes.
        body: What goes with it, if anything does.
        account: The broker's account.
        is_new: Whether the application has just been started.
        is_plain: Whether each name is one that the master contract has, but for its exchange, or is
            like none of its names: no database could take it for another one.
    """

    kind: str
    method: str
    path: str
    body: str | None = None
    account: Account = field(default_factory=Account)
    is_new: bool = False
    is_plain: bool = False


def any_requests(broker: str, contract: Sequence[Row]) -> st.SearchStrategy[Request]:
    """Returns requests to each endpoint of the application with a broker, half of them plain.

    Args:
        broker: Its name.
        contract: The rows of the master contract.
    """
    odd = Names(contract, [*_plain_groups(contract), ODD], is_plain=False)
    return _any_of(plain_requests(broker, contract), _requests(broker, odd))


def plain_requests(broker: str, contract: Sequence[Row]) -> st.SearchStrategy[Request]:
    """Returns plain requests; see `Request` and `any_requests`."""
    return _requests(broker, Names(contract, _plain_groups(contract), is_plain=True))


def _plain_groups(contract: Sequence[Row]) -> list[Sequence[Row]]:
    ordinary = contract[: -len(ODD)]
    return [ordinary, _twins(ordinary)]


@dataclass(frozen=True)
class Names:
    """Where names of instruments come from.

    Attributes:
        contract: The rows of the master contract.
        groups: Rows of it; each group is as likely as the others.
        is_plain: See `Request`.
    """

    contract: Sequence[Row]
    groups: Sequence[Sequence[Row]]
    is_plain: bool

    @property
    def listed(self) -> st.SearchStrategy[Row]:
        """A row of the contract."""
        return st.one_of(*map(st.sampled_from, self.groups))


def _any_of(*strategies: st.SearchStrategy[Request]) -> st.SearchStrategy[Request]:
    """Each of some strategies, and not mostly those that were drawn before."""
    return st.integers(0, len(strategies) - 1).flatmap(strategies.__getitem__)


def _requests(broker: str, names: Names) -> st.SearchStrategy[Request]:
    books = BROKERS[broker].books
    posts = [_posts(path, names) for path in BODIES]
    return _any_of(
        *(_books(book, names, prefix) for book in books for prefix in ("", "/pages")),
        *posts,
        *posts,
        _bad_posts(names),
        _bad_posts(names),
        _chains(names),
    )


def _twins(rows: Sequence[Row]) -> list[Row]:
    """The rows that share something at the broker with another of their exchange."""
    seen: dict[tuple[str, object, object], list[Row]] = {}
    for row in rows:
        for column in ("brsymbol", "token"):
            seen.setdefault((column, row[column], row["exchange"]), []).append(row)
    return [row for alike in seen.values() if len(alike) > 1 for row in alike]


# -- books


def _books(book: str, names: Names, prefix: str) -> st.SearchStrategy[Request]:
    named = {
        "orders": ("orders", _orders),
        "trades": ("trades", _trades),
        "positions": ("positions", _positions),
        "positions/day": ("day_positions", _positions),
        "holdings": ("holdings", _holdings),
    }
    name, rows_of = named[book]
    rows = _repeated(_instruments(names)).flatmap(
        lambda instruments: st.tuples(*map(rows_of, instruments))
    )
    return st.builds(
        lambda rows, is_new: Request(
            f"{prefix}/{book}",
            "GET",
            f"{prefix}/{book}",
            account=Account(**{name: _numbered(rows)}),
            is_new=is_new,
            is_plain=names.is_plain,
        ),
        rows,
        st.booleans(),
    )


@st.composite
def _instruments(draw: st.DrawFn, names: Names) -> Row:
    """What a broker's row says of its instrument."""
    row = draw(names.listed)
    token: str = row["token"] or "0"
    called = {"tradingsymbol": row["brsymbol"], "exchange": row["exchange"]}
    match draw(st.integers(0, 9 if names.is_plain else 13)):
        case 0:  # renamed, or no instrument at all
            called["tradingsymbol"] = draw(st.sampled_from(_NAMES))
        case 1:
            token = str(draw(st.integers(0, 10**9)))
        case 2:  # expired
            called["tradingsymbol"] = draw(st.sampled_from(_NAMES))
            token = str(draw(st.integers(0, 10**9)))
        case 3:
            called["exchange"] = draw(st.sampled_from(_EXCHANGES))
        case 4:
            called["tradingsymbol"] = row["symbol"]
        case 5:  # another one's
            token = draw(names.listed)["token"] or "1"
        case 10 | 11 | 12:
            called |= draw(_odd_calls(row))
        case 13:
            token = f"0{token}"
    # Brokers send them as text or as numbers.
    sent = draw(st.sampled_from([token, int(token)])) if token.isdecimal() else token
    return called | {"instrument_token": sent}


@st.composite
def _odd_calls(draw: st.DrawFn, row: Row) -> Row:
    """What may be mistaken for a name, or for an exchange."""
    brsymbol: str = row["brsymbol"]
    names = [*_ODD_NAMES, "", " ", None, f" {brsymbol} ", brsymbol.lower()]
    return draw(
        st.one_of(
            st.fixed_dictionaries({"tradingsymbol": st.sampled_from(names)}),
            st.fixed_dictionaries({"exchange": st.sampled_from([*_ODD_EXCHANGES, None, ""])}),
        )
    )


def _repeated(each: st.SearchStrategy[Row]) -> st.SearchStrategy[list[Row]]:
    """Lists of rows, of which some come again."""
    return st.builds(
        lambda rows, again: rows + [rows[number % len(rows)] for number in again if rows],
        st.lists(each, max_size=ROWS),
        st.lists(st.integers(0, ROWS), max_size=4),
    )


_amounts = st.sampled_from(_AMOUNTS)
_quantities = st.integers(-2_000, 2_000)


def _positions(instrument: Row) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries(
        _constant(instrument)
        | {
            "product": st.sampled_from(PRODUCTS),
            "quantity": _quantities,
            "multiplier": st.sampled_from([1, 1_000]),
            "average_price": _amounts,
            "last_price": _amounts,
            "buy_value": _amounts,
            "sell_value": _amounts,
        }
    )


def _orders(instrument: Row) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries(
        _constant(instrument)
        | {
            "transaction_type": st.sampled_from(ACTIONS),
            "order_type": st.sampled_from(PRICE_TYPES),
            "product": st.sampled_from(PRODUCTS),
            "status": st.sampled_from(["COMPLETE", "OPEN", "REJECTED"]),
            "status_message": st.sampled_from([None, "", "Insufficient funds.", "ß <b>"]),
            "order_timestamp": st.sampled_from(_TIMES),
            "quantity": _quantities,
            "filled_quantity": _quantities,
            "price": _amounts,
            "average_price": _amounts,
        }
    )


def _trades(instrument: Row) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries(
        _constant(instrument)
        | {
            "transaction_type": st.sampled_from(ACTIONS),
            "product": st.sampled_from(PRODUCTS),
            "fill_timestamp": st.sampled_from(_TIMES),
            "quantity": _quantities,
            "average_price": _amounts,
        }
    )


def _holdings(instrument: Row) -> st.SearchStrategy[Row]:
    return st.fixed_dictionaries(
        _constant(instrument)
        | {
            "product": st.just("CNC"),
            "quantity": _quantities,
            "average_price": _amounts,
            "last_price": _amounts,
            "pnl": _amounts,
        }
    )


def _constant(row: Row) -> dict[str, st.SearchStrategy[Any]]:
    return {name: st.just(value) for name, value in row.items()}


def _numbered(rows: Sequence[Row]) -> list[Row]:
    """Gives each row the ids of an order and a trade; a broker has no two of one id."""
    return [
        row | {"order_id": f"{number:015}", "trade_id": f"T{number}"}
        for number, row in enumerate(rows, start=1)
    ]


# -- what clients send


@st.composite
def _wanted(draw: st.DrawFn, names: Names) -> Row:
    """What a client calls an instrument."""
    row = draw(names.listed)
    symbol: str = row["symbol"]
    exchange: str = row["exchange"] or "NSE"
    match draw(st.integers(0, 7 if names.is_plain else 11)):
        case 0:
            symbol = draw(st.sampled_from(_NAMES))
        case 1:
            exchange = draw(st.sampled_from(_EXCHANGES))
        case 2:
            symbol = row["brsymbol"] or "-"
        case 8:
            symbol = draw(st.sampled_from(_ODD_NAMES))
        case 9:
            changed = [symbol.lower(), symbol.title(), f"{symbol} ", f" {symbol}", f"{symbol}\n"]
            symbol = draw(st.sampled_from(changed))
        case 10:
            exchange = draw(st.sampled_from([exchange.lower(), f"{exchange} ", f" {exchange}"]))
        case 11:
            exchange = draw(st.sampled_from(_ODD_EXCHANGES))
    return {"symbol": symbol, "exchange": exchange}


@st.composite
def _new_orders(draw: st.DrawFn, names: Names) -> Row:
    terms = draw(
        st.fixed_dictionaries(
            {
                "action": st.sampled_from(ACTIONS),
                "product": st.sampled_from(PRODUCTS),
                "pricetype": st.sampled_from(PRICE_TYPES),
                "quantity": st.integers(1, 40),
                "price": st.sampled_from(["101.05", 0.05, 1, "1e2", 812.4]),
            }
        )
    )
    return draw(_wanted(names)) | terms


def _posts(path: str, names: Names) -> st.SearchStrategy[Request]:
    return st.builds(
        lambda document, is_new: Request(
            path,
            "POST",
            path,
            json.dumps(document),
            is_new=is_new,
            is_plain=names.is_plain,
        ),
        _documents(path, names),
        st.booleans(),
    )


def _documents(path: str, names: Names) -> st.SearchStrategy[Row]:
    symbols = _repeated(_wanted(names)).filter(bool)
    if path in {"/basket", "/margin"}:
        orders = _repeated(_new_orders(names)).filter(bool)
        return st.fixed_dictionaries({"orders": orders})
    if path == "/split":
        slices = st.integers(1, 20)
        return st.builds(lambda order, size: order | {"slice": size}, _new_orders(names), slices)
    if path == "/subscription":
        return st.fixed_dictionaries({"mode": st.sampled_from(MODES), "symbols": symbols})
    if path == "/history":
        return st.fixed_dictionaries(
            {
                "interval": st.sampled_from(INTERVALS),
                "from": st.sampled_from([*_TIMES, "yesterday"]),
                "to": st.sampled_from(_TIMES),
                "symbols": _repeated(_wanted(names)).map(lambda rows: rows[:12]).filter(bool),
            }
        )
    return st.fixed_dictionaries({"symbols": symbols})


_JUNK: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 0, -1, 1.5, "", " ", "NaN", "HOLD", [], {}, [None], {"symbol": "SBIN"}, "9" * 30]
)


@st.composite
def _bad_posts(draw: st.DrawFn, names: Names) -> Request:
    """Bodies of which a part is missing, or is something else; a few are good all the same."""
    path = draw(st.sampled_from(BODIES))
    document: Any = draw(_documents(path, names))
    at = document
    for name in ("orders", "symbols"):
        if name in document and draw(st.booleans()):
            at = draw(st.sampled_from(document[name]))
    spoilt = draw(st.sampled_from(sorted(at)))
    if draw(st.booleans()):
        del at[spoilt]
    else:
        at[spoilt] = draw(_JUNK)
    body = json.dumps(document)
    match draw(st.integers(0, 9)):
        case 0:
            body = draw(
                st.sampled_from(["", "{", "null", "[]", "NaN", '{"orders": NaN}', "17", "\x00"])
            )
        case 1:
            body = body[: draw(st.integers(0, len(body)))]
    return Request("bad body", "POST", path, body, is_new=draw(st.booleans()))


@st.composite
def _chains(draw: st.DrawFn, names: Names) -> Request:
    """Option chains, that exist or do not."""
    options = [row for row in names.contract if row["instrumenttype"] == "CE"]
    option = draw(st.sampled_from(options[: -1 if names.is_plain else None]))
    parts = [option["exchange"], option["name"], option["expiry"]]
    if draw(st.integers(0, 5)) == 5:
        others = _NAMES if names.is_plain else (*_NAMES, *_ODD_NAMES, "NIFTY", "nfo")
        parts[draw(st.integers(0, 2))] = draw(st.sampled_from(others))
    path = "/".join(quote(part, safe="") for part in parts)
    return Request(
        "/options",
        "GET",
        f"/options/{path}",
        is_new=draw(st.booleans()),
        is_plain=names.is_plain,
    )
