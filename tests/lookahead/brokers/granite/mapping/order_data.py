import logging
from dataclasses import asdict, dataclass

from tests.lookahead.brokers.granite.mapping.instruments import exchange_of
from tests.lookahead.token_db import get_oa_symbol, get_symbol

logger = logging.getLogger(__name__)


@dataclass
class Order:
    orderid: int
    symbol: str
    exchange: str
    action: str
    quantity: int
    status: str


def map_order_data(response):
    if response.get("type") != "success":
        return []
    orders = []
    for row in response["result"]:
        exchange = exchange_of(row["ExchangeSegment"])
        symbol = get_symbol(str(row["ExchangeInstrumentID"]), exchange)
        if symbol:
            row["TradingSymbol"] = symbol
        orders.append(
            Order(
                row["AppOrderID"],
                row["TradingSymbol"],
                exchange,
                row["OrderSide"],
                row["OrderQuantity"],
                row["OrderStatus"].lower(),
            )
        )
    return [asdict(order) for order in orders]


def map_trade_data(response):
    trades = response.get("result") or []
    for trade in trades:
        exchange = exchange_of(trade["ExchangeSegment"])
        if trade.get("ExchangeInstrumentID"):
            token = str(trade["ExchangeInstrumentID"])
            trade["TradingSymbol"] = get_symbol(token, exchange) or trade["TradingSymbol"]
        trade["ExchangeSegment"] = exchange
        trade["Value"] = trade["LastTradedQuantity"] * trade["OrderAverageTradedPrice"]
    return trades


def map_position_data(response):
    """The ids of positions are text, with a small d in the field's name."""
    result = []
    for position in response["result"]["positionList"]:
        try:
            token = str(int(position["ExchangeInstrumentId"]))
            position["exchange"] = exchange_of(position["ExchangeSegment"])
            symbol = get_symbol(token, position["exchange"])
            if symbol:
                position["TradingSymbol"] = symbol
            position["Quantity"] = int(position["Quantity"])
            result.append(position)
        except (TypeError, ValueError) as e:
            logger.info("position dropped: %s", e)
    return result


def map_portfolio_data(response):
    """Holdings by ISIN, with an id for each exchange; 0 where it is not listed."""
    holdings = response["result"]["RMSHoldings"]["Holdings"]
    out = []
    for isin, holding in holdings.items():
        symbol, exchange = None, None
        nse_id = holding.get("ExchangeNSEInstrumentId")
        if nse_id:
            exchange = "NSE"
            symbol = get_symbol(str(nse_id), exchange)
        if not symbol and holding.get("ExchangeBSEInstrumentId"):
            exchange = "BSE"
            symbol = get_symbol(str(holding["ExchangeBSEInstrumentId"]), exchange)
        out.append(
            {
                "isin": isin,
                "symbol": symbol or isin,
                "exchange": exchange,
                "quantity": int(holding["HoldingQuantity"]),
                "average_price": holding.get("BuyAvgPrice") or 0.0,
            }
        )
    return out


def by_client(response):
    """Dealers see their clients' orders, grouped; names only, "NIFTY 26AUG2026 CE 25000"."""
    summary = {}
    for client, orders in response["result"].items():
        for order in orders:
            order["ExchangeSegment"] = exchange_of(order["ExchangeSegment"])
            name = order["TradingSymbol"].replace(" ", "").upper()
            order["TradingSymbol"] = get_oa_symbol(name, order["ExchangeSegment"]) or name
        summary[client] = sorted({order["TradingSymbol"] for order in orders})
    return summary
