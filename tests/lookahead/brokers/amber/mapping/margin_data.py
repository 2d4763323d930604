import logging

from tests.lookahead.token_db import get_br_symbol

logger = logging.getLogger(__name__)


def transform_margin_positions(positions):
    basket = []
    for position in positions:
        try:
            symbol = position["symbol"]
            exchange = position["exchange"]
            br_symbol = get_br_symbol(symbol, exchange)
            if not br_symbol:
                logger.info("margin: %s on %s is not known", symbol, exchange)
                continue
            basket.append(
                {
                    "exchange": exchange,
                    "tradingsymbol": br_symbol,
                    "transaction_type": position["action"].upper(),
                    "variety": "regular",
                    "product": position.get("product", "NRML"),
                    "order_type": position.get("pricetype", "MARKET"),
                    "quantity": int(position["quantity"]),
                    "price": float(position.get("price", 0)),
                    "trigger_price": float(position.get("trigger_price", 0)),
                }
            )
        except (KeyError, ValueError) as e:
            logger.info("margin: bad position %s: %s", position, e)
            continue
    return basket


def parse_margin_response(response):
    if response.get("status") != "success":
        return {"status": "error", "message": response.get("message", "margin failed")}
    final = response["data"]["final"]
    return {
        "status": "success",
        "data": {"total_margin_required": final["total"], "span_margin": final["span"]},
    }
