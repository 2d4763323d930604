"""A master contract that looks like a real one, for demos, tests and benchmarks.

Nothing in it depends on today: the same call makes the same rows on every day and machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, islice, product
from operator import itemgetter
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from dataloaders.symbols.kite import derivative_symbol, expiry_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    Row: TypeAlias = dict[str, object]

_FIRST_DAY = date(2026, 8, 17)  # a Monday; no expiry is earlier
_WEEKS = 26
_MONTHS = 3
_SEPTEMBER = 9
_TUESDAY, _WEDNESDAY, _THURSDAY = 1, 2, 3
_EQUITIES = 8_000  # of a full-size contract; a smaller one has them in proportion
_FULL_SIZE = 150_000
_STOCK_UNDERLYINGS = 200
_STEPS = ((250, 2.5), (1_000, 10.0), (3_000, 20.0), (6_000, 50.0))  # price below, strikes apart
_TWINS = 8  # of each kind, at most
_TWIN_DISTANCE = 1_000  # rows, at least
# The low byte of a Kite token says where the instrument trades.
_SEGMENTS = {
    "NSE": 1,
    "NFO": 2,
    "CDS": 3,
    "BSE": 4,
    "BFO": 5,
    "MCX": 7,
    "NSE_INDEX": 9,
    "BSE_INDEX": 9,
}

_WELL_KNOWN = {
    "RELIANCE": "RELIANCE INDUSTRIES",
    "TCS": "TATA CONSULTANCY SERVICES",
    "INFY": "INFOSYS",
    "SBIN": "STATE BANK OF INDIA",
    "HDFCBANK": "HDFC BANK",
    "ICICIBANK": "ICICI BANK",
    "ITC": "ITC",
    "LT": "LARSEN & TOUBRO",
    "AXISBANK": "AXIS BANK",
    "KOTAKBANK": "KOTAK MAHINDRA BANK",
    "BHARTIARTL": "BHARTI AIRTEL",
    "HINDUNILVR": "HINDUSTAN UNILEVER",
    "MARUTI": "MARUTI SUZUKI INDIA",
    "M&M": "MAHINDRA & MAHINDRA",
    "BAJAJ-AUTO": "BAJAJ AUTO",
    "ASIANPAINT": "ASIAN PAINTS",
    "WIPRO": "WIPRO",
    "TITAN": "TITAN COMPANY",
    "SUNPHARMA": "SUN PHARMACEUTICAL IND",
    "TATASTEEL": "TATA STEEL",
}
_INDICES = (  # symbol, brsymbol, exchange
    ("NIFTY", "NIFTY 50", "NSE"),
    ("BANKNIFTY", "NIFTY BANK", "NSE"),
    ("SENSEX", "SENSEX", "BSE"),
    ("FINNIFTY", "NIFTY FIN SERVICE", "NSE"),
    ("MIDCPNIFTY", "NIFTY MID SELECT", "NSE"),
    ("NIFTYNXT50", "NIFTY NEXT 50", "NSE"),
    ("BANKEX", "BANKEX", "BSE"),
    ("INDIAVIX", "INDIA VIX", "NSE"),
)
_ONSETS = ("B", "BH", "CH", "D", "G", "H", "J", "K", "M", "N", "P", "PR", "R", "S", "SH", "T", "V")
_RHYMES = ("A", "AL", "AN", "AR", "ESH", "I", "IN", "IT", "O", "OM", "UR", "YA")
_TRADES = {
    "CHEM": "CHEMICALS",
    "FIN": "FINANCE",
    "IND": "INDUSTRIES",
    "INFRA": "INFRASTRUCTURE",
    "LAB": "LABORATORIES",
    "PAP": "PAPERS",
    "STEEL": "STEELS",
    "TECH": "TECHNOLOGIES",
    "TEX": "TEXTILES",
}


@dataclass(frozen=True, slots=True)
class _Underlying:
    """What futures and options are written on; prices in rupees."""

    exchange: str
    name: str
    price: float
    step: float
    lotsize: int
    weekday: int
    weekly: bool = False
    tick_size: float = 0.05


_MARKETS = (
    _Underlying("NFO", "NIFTY", 25_000, 50, 65, _TUESDAY, weekly=True),
    _Underlying("BFO", "SENSEX", 82_000, 100, 20, _THURSDAY, weekly=True),
    _Underlying("NFO", "BANKNIFTY", 56_000, 100, 30, _TUESDAY),
    _Underlying("MCX", "CRUDEOIL", 5_600, 50, 100, _WEDNESDAY, tick_size=1.0),
    _Underlying("MCX", "GOLD", 98_000, 500, 100, _THURSDAY, tick_size=1.0),
    _Underlying("CDS", "USDINR", 86, 0.25, 1_000, _WEDNESDAY, weekly=True, tick_size=0.0025),
    _Underlying("NFO", "FINNIFTY", 26_500, 50, 60, _TUESDAY),
    _Underlying("NFO", "MIDCPNIFTY", 13_000, 25, 120, _TUESDAY),
    _Underlying("BFO", "BANKEX", 62_000, 100, 30, _THURSDAY),
    _Underlying("MCX", "SILVER", 112_000, 500, 30, _THURSDAY, tick_size=1.0),
    _Underlying("MCX", "NATURALGAS", 290, 5, 1_250, _WEDNESDAY, tick_size=0.1),
    _Underlying("CDS", "EURINR", 99, 0.25, 1_000, _WEDNESDAY, tick_size=0.0025),
)


def generate_contract(rows: int = 150_000, seed: int = 0) -> Iterator[Row]:
    """Makes a master contract: NSE and BSE shares, indices, futures and options.

    No pair of symbol and exchange comes twice. From 1,000 rows up, a few instruments share their
    token, and a few others their broker's symbol, with another one of the same exchange.

    Args:
        rows: How many, from 1 up. The parts keep their proportions.
        seed: Another seed makes other companies, prices and tokens.

    Returns:
        The rows, as `read_contract` yields them: the columns of `symtoken` but `id`.

    Raises:
        ValueError: `rows` is less than 1.
    """
    if rows < 1:
        raise ValueError(f"generate_contract needs at least 1 row, but was asked for {rows}.")
    random = Random(seed)  # noqa: S311 - made-up companies are no secret
    shares = min(_EQUITIES, max(1, rows * _EQUITIES // _FULL_SIZE))
    companies = list(islice(_companies(random), max(1, shares // 2)))
    stocks = [_stock(symbol, random) for symbol, _ in companies[:_STOCK_UNDERLYINGS]]
    series = _series((*_MARKETS, *stocks))
    strikes = max(10, -(-rows // (2 * len(series))))
    derivatives = chain.from_iterable(
        _derivatives(underlying, expiry, strikes, monthly=monthly)
        for underlying, expiry, monthly in series
    )
    everything = chain(islice(_shares(companies), shares), _indices(), derivatives)
    return _with_twins(_with_tokens(islice(everything, rows), random), rows)


def _companies(random: Random) -> Iterator[tuple[str, str]]:
    """Yields (symbol, name) without end; no symbol comes twice."""
    yield from _WELL_KNOWN.items()
    taken = set(_WELL_KNOWN)
    while True:
        syllables = (random.choice(_ONSETS) + random.choice(_RHYMES) for _ in range(2))
        word = "".join(syllables)
        short, trade = random.choice(tuple(_TRADES.items()))
        if (symbol := word + short) not in taken:
            taken.add(symbol)
            yield symbol, f"{word} {trade}"


def _stock(symbol: str, random: Random) -> _Underlying:
    price = float(random.randrange(60, 6_000))
    step = next(step for limit, step in _STEPS if price < limit)
    return _Underlying("NFO", symbol, price, step, 25 * random.randint(1, 60), _TUESDAY)


def _series(underlyings: Iterable[_Underlying]) -> list[tuple[_Underlying, date, bool]]:
    """Lists (underlying, expiry, is it the month's last), the nearest expiry of each first."""
    ranked = (
        (rank, (underlying, expiry, monthly))
        for underlying in underlyings
        for rank, (expiry, monthly) in enumerate(_expiries(underlying))
    )
    return [each for _, each in sorted(ranked, key=itemgetter(0))]


def _expiries(underlying: _Underlying) -> list[tuple[date, bool]]:
    first = _FIRST_DAY + timedelta(days=underlying.weekday)
    weeks = [first + timedelta(weeks=week) for week in range(_WEEKS)]
    dated = [(day, (day + timedelta(weeks=1)).month != day.month) for day in weeks]
    return dated if underlying.weekly else [each for each in dated if each[1]][:_MONTHS]


def _shares(companies: Iterable[tuple[str, str]]) -> Iterator[Row]:
    for (symbol, name), exchange in product(companies, ("NSE", "BSE")):
        yield _row(symbol, symbol, name, exchange)


def _indices() -> Iterator[Row]:
    for symbol, brsymbol, exchange in _INDICES:
        row = _row(symbol, brsymbol, brsymbol, exchange)
        yield row | {"exchange": f"{exchange}_INDEX", "lotsize": 0, "tick_size": 0.0}


def _derivatives(
    underlying: _Underlying, expiry: date, strikes: int, *, monthly: bool
) -> Iterator[Row]:
    """Yields the future, if it is the month's, and a call and a put for each strike."""
    name = underlying.name
    expires = expiry_text(expiry)
    day, month, year = expires.split("-")
    # Kite writes a month's last expiry 26AUG, the others 26818: October to December are O, N, D.
    digit = month[0] if expiry.month > _SEPTEMBER else expiry.month
    broker_expires = f"{year}{month}" if monthly else f"{year}{digit}{day}"
    lowest = max(1, round(underlying.price / underlying.step) - strikes // 2)
    prices = (float(underlying.step * (lowest + number)) for number in range(strikes))
    future = [(0.0, "FUT")] if monthly else []
    for strike, kind in chain(future, product(prices, ("CE", "PE"))):
        yield _row(
            derivative_symbol(name, expires, strike, kind),
            derivative_symbol(name, broker_expires, strike, kind),
            name,
            underlying.exchange,
        ) | {
            "expiry": expires,
            "strike": strike,
            "lotsize": underlying.lotsize,
            "instrumenttype": kind,
            "tick_size": underlying.tick_size,
        }


def _with_tokens(rows: Iterable[Row], random: Random) -> Iterator[Row]:
    number = random.randrange(1_000, 2_000)
    for row in rows:
        number += random.randint(1, 3)
        yield row | {"token": str(number << 8 | _SEGMENTS[str(row["exchange"])])}


def _with_twins(rows: Iterable[Row], total: int) -> Iterator[Row]:
    """Gives a few rows the token, or the broker's symbol, of the one before on their exchange."""
    distance = max(_TWIN_DISTANCE, total // _TWINS)
    before: dict[object, Row] = {}
    for number, row in enumerate(rows, start=1):
        twin = before.get(row["exchange"], row)
        if number % distance == 0:
            row["token"] = twin["token"]
        elif number % distance == distance // 2:
            row["brsymbol"] = twin["brsymbol"]
        before[row["exchange"]] = row
        yield row


def _row(symbol: str, brsymbol: str, name: str, exchange: str) -> Row:
    return {
        "symbol": symbol,
        "brsymbol": brsymbol,
        "name": name,
        "exchange": exchange,
        "brexchange": exchange,
        "token": "",
        "expiry": "",
        "strike": 0.0,
        "lotsize": 1,
        "instrumenttype": "EQ",
        "tick_size": 0.05,
        "contract_value": None,
    }
