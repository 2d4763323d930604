from tests.lookahead.token_db import get_symbol, get_token

EXCHANGE_TYPE = {"NSE": 1, "NFO": 2, "BSE": 3, "BFO": 4, "MCX": 5, "CDS": 13}
EXCHANGE_NAME = {v: k for k, v in EXCHANGE_TYPE.items()}


class SmartStream:
    def __init__(self):
        self.names = {}

    def subscribe(self, symbols):
        token_list = {}
        missed = []
        for item in symbols:
            token = get_token(item["symbol"], item["exchange"])
            kind = EXCHANGE_TYPE.get(item["exchange"].replace("_INDEX", ""))
            if token and kind:
                token_list.setdefault(kind, set()).add(token)
                self.names[kind, token] = item
            else:
                missed.append(item)
        return [
            {"exchangeType": kind, "tokens": sorted(tokens)} for kind, tokens in token_list.items()
        ], missed

    def on_data(self, frames):
        seen = {}
        for frame in frames:
            # the token is a C string of 25 bytes
            token = frame["token"].split("\x00")[0]
            exchange = EXCHANGE_NAME.get(frame["exchange_type"])
            if not exchange or not token:
                continue
            symbol = get_symbol(token, exchange) or get_symbol(token, exchange + "_INDEX")
            if symbol is None:
                continue
            seen[f"{exchange}_{symbol}"] = frame["last_traded_price"] / 100
        return seen
