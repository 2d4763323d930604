"""Shows option chains: the calls and puts on one underlying that end on one day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from dataloaders.symbols import symtoken
from examples.trading.brokers.base import find_listed
from examples.trading.lookups import get_symbol_info

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine, Row

    from examples.trading.brokers.base import Listed
    from examples.trading.brokers.client import BrokerClient
    from examples.trading.shown import Prices


@dataclass(slots=True)
class Option:
    """A call or a put at a strike."""

    symbol: str
    lotsize: int | None
    prices: Prices | None = None


@dataclass(slots=True)
class Strike:
    """What there is at a strike, whose price is in rupees."""

    strike: float
    CE: Option | None = None
    PE: Option | None = None


def options_on(
    engine: Engine, underlying: str, exchange: str, expiry: str
) -> Sequence[Row[Any, Any, Any, Any]]:
    """Returns the symbol, the exchange, the strike and CE or PE of each option, by their strikes.

    Args:
        engine: The database of the master contract.
        underlying: What the options are on, `NIFTY` say.
        exchange: Where they are traded.
        expiry: The day on which they end, as `27-AUG-26`.
    """
    columns = symtoken.c
    statement = (
        select(columns.symbol, columns.exchange, columns.strike, columns.instrumenttype)
        .where(columns.name == underlying, columns.exchange == exchange, columns.expiry == expiry)
        .where(columns.instrumenttype.in_(("CE", "PE")))
        .order_by(columns.strike, columns.instrumenttype)
    )
    with engine.connect() as connection:
        return connection.execute(statement).all()


def show_chain(
    client: BrokerClient, engine: Engine, underlying: str, exchange: str, expiry: str
) -> list[Strike]:
    """Returns each strike with its options, whose prices take one call; see `options_on`."""
    strikes: dict[float, Strike] = {}
    options: list[tuple[Option, Listed]] = []
    for row in options_on(engine, underlying, exchange, expiry):
        info = get_symbol_info(row.symbol, row.exchange)
        option = Option(row.symbol, info.lotsize if info else None)
        strike = strikes.setdefault(row.strike, Strike(row.strike))
        setattr(strike, row.instrumenttype, option)
        listed = find_listed(row.symbol, row.exchange)
        if listed is not None:
            options.append((option, listed))
    if options:
        prices = client.quotes([listed for _, listed in options])
        for (option, _), found in zip(options, prices, strict=True):
            option.prices = found
    return list(strikes.values())
