from tests.lookahead.brokers.lapis.mapping.symid import parse
from tests.lookahead.token_db import get_oa_symbol, get_symbol, get_token


class LapisAdapter:
    def __init__(self):
        self.listings = {}

    def subscribe(self, symbols, size=20):
        messages = []
        for start in range(0, len(symbols), size):
            chunk = symbols[start : start + size]
            listings = []
            for item in chunk:
                if token := get_token(item["symbol"], item["exchange"]):
                    listing = f"{token}_{item['exchange'].removesuffix('_INDEX')}"
                    listings.append({"t": listing})
                    self.listings[listing] = (item["symbol"], item["exchange"])
            messages.append({"request": {"streaming_type": "quote", "tokens": listings}})
        return messages

    def on_quotes(self, quotes):
        for quote in quotes:
            listing = quote.get("sym")
            if not listing:
                continue
            if listing in self.listings:
                symbol, exchange = self.listings[listing]
            else:
                token, _, exchange = listing.partition("_")
                symbol = get_symbol(token, exchange)
            if symbol:
                yield f"{exchange}_{symbol}", quote["ltp"]

    def on_order_events(self, events):
        for event in events:
            if event.get("type") == "order":
                try:
                    name, exchange = parse(event["symId"])
                    event["symId"] = get_oa_symbol(name, exchange) or event["symId"]
                except KeyError:
                    event["symId"] = None
        return events
