from pydantic import BaseModel

from tests.lookahead.token_db import get_br_symbol, get_symbol_info, get_token


class PlaceOrder(BaseModel):
    exch: str
    symbol_id: str
    trading_symbol: str
    transtype: str
    qty: int
    pCode: str
    prctyp: str
    complexty: str = "regular"
    ret: str = "DAY"


def transform_data(data):
    symbol, exchange = data["symbol"], data["exchange"]
    token = get_token(symbol, exchange)
    br_symbol = get_br_symbol(symbol, exchange)
    if not token or not br_symbol:
        raise LookupError(f"{symbol} ({exchange})")
    return PlaceOrder(
        exch=exchange,
        symbol_id=token,
        trading_symbol=br_symbol + "-EQ" * (exchange == "NSE"),
        transtype=data["action"].upper(),
        qty=int(data["quantity"]),
        pCode=data["product"],
        prctyp={"MARKET": "MKT", "LIMIT": "L"}.get(data["pricetype"], data["pricetype"]),
    ).model_dump()


def freeze_pieces(data, freeze=1800):
    """Quantities above the exchange's freeze limit go out in whole lots below it."""
    info = get_symbol_info(data["symbol"], data["exchange"])
    if info is None or not info.lotsize:
        return [data]
    most = max(freeze // info.lotsize, 1) * info.lotsize
    left = int(data["quantity"])
    pieces = []
    while left > 0:
        pieces.append({**data, "quantity": min(left, most)})
        left -= most
    return pieces
