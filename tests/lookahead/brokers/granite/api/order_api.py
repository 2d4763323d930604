import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.granite.mapping.instruments import Instrument, exchange_of
from tests.lookahead.brokers.granite.mapping.transform_data import transform_data
from tests.lookahead.token_db import get_symbol, get_token

logger = logging.getLogger(__name__)


class OrderRefused(Exception):
    pass


def place_order_api(data, xts):
    token = get_token(data["symbol"], data["exchange"])
    if not token:
        raise OrderRefused(f"{data['symbol']} is not listed on {data['exchange']}")
    answer = xts.post("/interactive/orders", transform_data(data, int(token)))
    if answer["type"] != "success":
        raise OrderRefused(answer["description"])
    return answer["result"]["AppOrderID"]


def place_basket(orders, xts):
    placed = []
    for order in orders:
        try:
            placed.append(place_order_api(order, xts))
        except OrderRefused as e:
            placed.append(f"refused: {e}")
    return placed


def place_all_or_stop(orders, xts):
    """A spread: no further leg once one is refused."""
    return [place_order_api(order, xts) for order in orders]


def get_open_position(symbol, exchange, product, xts):
    instrument = Instrument.find(symbol, exchange)
    if instrument is None:
        return 0
    for row in xts.get("/interactive/portfolio/positions")["result"]["positionList"]:
        if row["ProductType"] == product and row["ExchangeInstrumentId"] == str(instrument.instrument_id):
            return int(row["Quantity"])
    return 0


def smart_orders(orders, xts):
    done = []
    for order in orders:
        held = get_open_position(order["symbol"], order["exchange"], order["product"], xts)
        delta = int(order["position_size"]) - held
        if delta == 0:
            done.append("flat")
            continue
        side = "BUY" if delta > 0 else "SELL"
        try:
            done.append(place_order_api({**order, "action": side, "quantity": abs(delta)}, xts))
        except OrderRefused:
            done.append("refused")
    return done


def _exit(position, xts):
    exchange = exchange_of(position["ExchangeSegment"])
    symbol = get_symbol(position["ExchangeInstrumentId"], exchange)
    if not symbol:
        raise OrderRefused(f"{exchange} {position['ExchangeInstrumentId']} is unknown")
    quantity = int(position["Quantity"])
    return place_order_api(
        {
            "symbol": symbol,
            "exchange": exchange,
            "action": "SELL" if quantity > 0 else "BUY",
            "quantity": abs(quantity),
            "product": position["ProductType"],
            "pricetype": "MARKET",
        },
        xts,
    )


def close_all_positions(xts):
    rows = xts.get("/interactive/portfolio/positions")["result"]["positionList"]
    held = [row for row in rows if int(row["Quantity"])]
    exits, refused = [], []
    with ThreadPoolExecutor(max_workers=10) as executor:
        futures = [executor.submit(_exit, row, xts) for row in held]
        for future in as_completed(futures):
            try:
                exits.append(future.result())
            except OrderRefused as e:
                refused.append(str(e))
    return sorted(exits), sorted(refused)
