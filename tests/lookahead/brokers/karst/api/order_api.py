import logging
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.karst.mapping.models import PositionRow
from tests.lookahead.brokers.karst.mapping.transform_data import freeze_pieces, transform_data
from tests.lookahead.token_db import get_br_symbol, get_symbol

logger = logging.getLogger(__name__)


def place_order_api(data, rest):
    try:
        body = transform_data(data)
    except LookupError as e:
        return {"stat": "Not_Ok", "Emsg": f"no such instrument: {e}"}
    return rest("placeOrder/executePlaceOrder", [body])[0]


def place_basket(orders, rest):
    """Splits large orders first, then places twenty at a time on ten workers."""
    pieces = []
    for order in orders:
        pieces.extend(freeze_pieces(order))
    answers = {}
    for start in range(0, len(pieces), 20):
        with ThreadPoolExecutor(max_workers=10) as executor:
            futures = {
                executor.submit(place_order_api, piece, rest): start + n
                for n, piece in enumerate(pieces[start : start + 20])
            }
            for future in as_completed(futures):
                answers[futures[future]] = future.result()
    return [
        (pieces[n]["symbol"], answers[n].get("NOrdNo") or answers[n].get("Emsg"))
        for n in sorted(answers)
    ]


def get_open_position(symbol, exchange, product, rest):
    for row in rest("positionAndHoldings/positionBook", None):
        position = PositionRow.model_validate(row)
        if position.exchange != exchange or position.product != product:
            continue
        if position.symbol == symbol:
            return position.net
    return 0


def close_all_positions(rest):
    numbers = []
    for row in rest("positionAndHoldings/positionBook", None):
        position = PositionRow.model_validate(row)
        if not position.net:
            continue
        symbol = position.symbol
        if symbol is None:
            logger.debug("cannot close %s", position.tradingsymbol)
            continue
        answer = place_order_api(
            {
                "symbol": symbol,
                "exchange": position.exchange,
                "action": "SELL" if position.net > 0 else "BUY",
                "quantity": abs(position.net),
                "product": position.product,
                "pricetype": "MARKET",
            },
            rest,
        )
        numbers.append(answer.get("NOrdNo"))
    return numbers


def cancel_all_orders(rest):
    done = []
    for order in rest("placeOrder/fetchOrderBook", None):
        if order["Status"] not in ("open", "trigger pending"):
            continue
        try:
            answer = rest("placeOrder/cancelOrder", {"nestOrderNumber": order["Nstordno"]})
            if answer["stat"] != "Ok":
                raise RuntimeError(answer["Emsg"])
            order["Trsym"] = get_symbol(order["token"], order["Exchange"]) or order["Trsym"]
            done.append((order["Nstordno"], order["Trsym"]))
        except (KeyError, RuntimeError) as e:
            logger.debug("%s: %s", order["Nstordno"], e)
    return done


def pending_of(symbols, rest):
    """Numbers of the pending orders of each symbol of a strategy."""
    book = rest("placeOrder/fetchOrderBook", None)
    pending = {}
    for item in symbols:
        name = get_br_symbol(item["symbol"], item["exchange"])
        if not name:
            continue
        pending[item["symbol"]] = [
            order["Nstordno"]
            for order in book
            if order["Status"] == "open" and order["Trsym"] in (name, name + "-EQ")
        ]
    return pending
