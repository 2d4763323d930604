from tests.lookahead.token_db import get_br_symbol

PRODUCTS = {"CNC": "DELIVERY", "NRML": "CARRYFORWARD", "MIS": "INTRADAY"}
VARIETY = {"SL": "STOPLOSS", "SL-M": "STOPLOSS"}


def transform_data(data, token):
    symbol = get_br_symbol(data["symbol"], data["exchange"])
    return {
        "variety": VARIETY.get(data["pricetype"], "NORMAL"),
        "tradingsymbol": symbol,
        "symboltoken": token,
        "transactiontype": data["action"].upper(),
        "exchange": data["exchange"],
        "ordertype": data["pricetype"],
        "producttype": PRODUCTS.get(data["product"], "INTRADAY"),
        "duration": "DAY",
        "price": data.get("price", "0"),
        "quantity": data["quantity"],
    }


def transform_modify_order_data(data, token):
    return {
        "variety": VARIETY.get(data["pricetype"], "NORMAL"),
        "orderid": data["orderid"],
        "ordertype": data["pricetype"],
        "producttype": PRODUCTS.get(data["product"], "INTRADAY"),
        "price": data["price"],
        "quantity": str(data["quantity"]),
        "tradingsymbol": get_br_symbol(data["symbol"], data["exchange"]) or data["symbol"],
        "symboltoken": token,
        "exchange": data["exchange"],
    }
