import json
import logging
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from tests.lookahead.brokers.ivory.mapping.order_data import map_position_data
from tests.lookahead.brokers.ivory.mapping.segments import name_of, to_exchange
from tests.lookahead.brokers.ivory.mapping.transform_data import transform_data
from tests.lookahead.token_db import get_br_symbol, get_brexchange, get_oa_symbol

logger = logging.getLogger(__name__)

WORKERS = 10
BATCH = 20


def place_order_api(data, http):
    payload = "jData=" + quote(json.dumps(transform_data(data)))
    answer = http("/Orders/2.0/quick/order/rule/ms/place", payload)
    return answer.get("nOrdNo"), answer.get("errMsg")


def _one(order, http):
    try:
        number, error = place_order_api(order, http)
    except ValueError as e:
        return f"{order['symbol']}: {e}"
    return f"{order['symbol']}: {number or error}"


def place_basket(orders, http):
    lines = []
    for i in range(0, len(orders), BATCH):
        with ThreadPoolExecutor(max_workers=WORKERS) as executor:
            jobs = [executor.submit(_one, order, http) for order in orders[i : i + BATCH]]
        lines.extend(job.result() for job in jobs)
    return lines


def close_all_positions(http):
    """Squares off what is open; the venue is noted for the contract note."""
    closed, skipped = [], 0
    for row in map_position_data(http("/Orders/2.0/quick/user/positions", "")):
        if row["netQty"] == 0:
            continue
        venue = get_brexchange(row["trdSym"], row["exSeg"])
        if venue is None:
            skipped += 1
            continue
        number, _ = place_order_api(
            {
                "symbol": row["trdSym"],
                "exchange": row["exSeg"],
                "action": "SELL" if row["netQty"] > 0 else "BUY",
                "product": row["prod"],
                "pricetype": "MARKET",
                "quantity": abs(row["netQty"]),
            },
            http,
        )
        closed.append((row["trdSym"], venue, number))
    return closed, skipped


def get_open_position(symbol, exchange, product, http):
    wanted = get_br_symbol(symbol, exchange)
    for row in http("/Orders/2.0/quick/user/positions", "")["data"]:
        if to_exchange(row["exSeg"]) == exchange and row["prod"] == product:
            if row["trdSym"] == wanted:
                return int(row["flBuyQty"]) - int(row["flSellQty"])
    return 0


def place_smartorders(orders, http):
    out = []
    for order in orders:
        target = int(order["position_size"])
        held = get_open_position(order["symbol"], order["exchange"], order["product"], http)
        if target == held:
            out.append("nothing to do")
            continue
        order["action"] = "BUY" if target > held else "SELL"
        order["quantity"] = abs(target - held)
        out.append(_one(order, http))
    return out


def cancel_all_orders(http):
    cancelled, kept = [], []
    for order in http("/Orders/2.0/quick/user/orders", "")["data"]:
        if order["ordSt"] not in ("open", "trigger pending"):
            continue
        symbol = name_of(order)
        if symbol is None:
            kept.append(order["nOrdNo"])
            continue
        http("/Orders/2.0/quick/order/cancel", order["nOrdNo"])
        cancelled.append(symbol)
    return cancelled, kept


def order_history(numbers, http):
    """Last state of some orders, read one after the other."""
    states = []
    for number in numbers:
        try:
            last = http("/Orders/2.0/quick/order/history", number)["data"][-1]
            last["exSeg"] = to_exchange(last["exSeg"])
            last["trdSym"] = get_oa_symbol(last["trdSym"].removesuffix("-EQ"), last["exSeg"])
            states.append((number, last["trdSym"], last["ordSt"]))
        except (KeyError, IndexError) as e:
            logger.debug("no history of %s: %s", number, e)
    return states
