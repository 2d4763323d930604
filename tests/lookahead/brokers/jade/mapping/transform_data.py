from tests.lookahead.token_db import get_br_symbol, get_brexchange

SEGMENT = {"NSE": "CASH", "BSE": "CASH", "NFO": "FNO", "BFO": "FNO", "MCX": "COMMODITY"}


def venue(symbol, exchange):
    """NFO trades on NSE, BFO on BSE."""
    brexchange = get_brexchange(symbol, exchange)
    if brexchange is None:
        return None
    return {"NFO": "NSE", "BFO": "BSE"}.get(brexchange, brexchange)


def transform_data(data):
    symbol = get_br_symbol(data["symbol"], data["exchange"])
    if not symbol:
        raise ValueError(f"Unknown symbol {data['symbol']!r} on {data['exchange']}")
    return {
        "trading_symbol": symbol,
        "exchange": venue(data["symbol"], data["exchange"]),
        "segment": SEGMENT[data["exchange"]],
        "transaction_type": data["action"].upper(),
        "order_type": {"SL-M": "SL_M"}.get(data["pricetype"], data["pricetype"]),
        "quantity": int(data["quantity"]),
        "product": data["product"],
        "validity": "DAY",
    }
