from tests.lookahead.token_db import get_br_symbol

ORDER_TYPE = {"MARKET": "MARKET", "LIMIT": "LIMIT", "SL": "SL", "SL-M": "SL-M"}


def transform_data(data, token):
    """Our order request as the broker's form."""
    symbol = get_br_symbol(data["symbol"], data["exchange"])
    return {
        "tradingsymbol": symbol,
        "exchange": data["exchange"],
        "instrument_token": token,
        "transaction_type": data["action"].upper(),
        "order_type": ORDER_TYPE.get(data.get("pricetype", "MARKET"), "MARKET"),
        "quantity": str(data["quantity"]),
        "product": data.get("product", "MIS"),
        "price": str(data.get("price", "0")),
        "trigger_price": str(data.get("trigger_price", "0")),
        "validity": "DAY",
        "tag": "amber",
    }


def transform_modify_order_data(data):
    return {
        "order_id": data["orderid"],
        "order_type": ORDER_TYPE.get(data["pricetype"], "LIMIT"),
        "quantity": data["quantity"],
        "price": data["price"],
        "trigger_price": data.get("trigger_price", 0),
        "validity": "DAY",
    }
