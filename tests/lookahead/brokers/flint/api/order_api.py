import json
import logging
from concurrent.futures import ThreadPoolExecutor

from tests.lookahead.brokers.flint.mapping.order_data import map_position_data
from tests.lookahead.brokers.flint.mapping.transform_data import transform_data
from tests.lookahead.brokers.flint.mapping.util import plain
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol

logger = logging.getLogger(__name__)

UID = "FT0001"


def call(noren, route, **data):
    """Requests are form data with the JSON in jData."""
    return noren(route, "jData=" + json.dumps({"uid": UID, **data}) + "&jKey=x")


def place_order_api(data, noren):
    newdata = transform_data(data, UID)
    if newdata is None:
        return {"stat": "Not_Ok", "emsg": "unknown instrument"}
    return call(noren, "PlaceOrder", **newdata)


def _place_and_report(order, noren, total):
    answer = place_order_api(order, noren)
    if answer["stat"] == "Ok":
        return {"symbol": order["symbol"], "status": "success", "orderid": answer["norenordno"]}
    return {"symbol": order["symbol"], "status": "error", "message": answer["emsg"], "of": total}


def place_basket(orders, noren):
    total = len(orders)
    with ThreadPoolExecutor(max_workers=10) as executor:
        futures = [executor.submit(_place_and_report, order, noren, total) for order in orders]
    return [future.result() for future in futures]


def get_open_position(symbol, exchange, product, noren):
    for position in map_position_data(call(noren, "PositionBook")):
        if (position["tsym"], position["exch"], position["prd"]) == (symbol, exchange, product):
            return position["netqty"]
    return "0"


def close_all_positions(noren):
    answers = []
    for position in call(noren, "PositionBook"):
        net = int(position["netqty"])
        if net == 0:
            continue
        try:
            symbol = get_oa_symbol(plain(position["tsym"]), position["exch"])
            answer = place_order_api(
                {
                    "symbol": symbol,
                    "exchange": position["exch"],
                    "action": "SELL" if net > 0 else "BUY",
                    "quantity": abs(net),
                    "product": {"C": "CNC", "I": "MIS", "M": "NRML"}[position["prd"]],
                },
                noren,
            )
            answers.append(f"{symbol}: {answer.get('norenordno') or answer['emsg']}")
        except KeyError:
            # product H or B: bracket and cover legs close by themselves
            logger.debug("left alone: %s", position)
    return answers


def cancel_all_orders(noren, only=()):
    """Cancels the open orders, of `only` some instruments if given."""
    names = set()
    for item in only:
        tsym = get_br_symbol(item["symbol"], item["exchange"])
        if tsym:
            names.add((item["exchange"], tsym))
    gone = []
    for order in call(noren, "OrderBook"):
        if order["status"] not in ("OPEN", "TRIGGER_PENDING"):
            continue
        if names and (order["exch"], plain(order["tsym"])) not in names:
            continue
        if call(noren, "CancelOrder", norenordno=order["norenordno"])["stat"] == "Ok":
            gone.append(order["norenordno"])
    return gone
