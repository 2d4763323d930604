import json

from tests.lookahead.brokers.granite.mapping.instruments import BY_NUMBER, Instrument
from tests.lookahead.token_db import get_symbol


class GraniteAdapter:
    MAX = 50

    def __init__(self):
        self.out = []

    def subscribe(self, symbols):
        bodies = []
        for item in symbols:
            instrument = Instrument.find(item.get("symbol"), item.get("exchange"))
            if instrument:
                bodies.append(instrument.body())
        return [
            {"instruments": bodies[i : i + self.MAX], "xtsMessageCode": 1501}
            for i in range(0, len(bodies), self.MAX)
        ]

    def on_touchlines(self, texts):
        for text in texts:
            try:
                tick = json.loads(text)
                exchange = BY_NUMBER.get(tick["ExchangeSegment"], "NSE")
                symbol = get_symbol(str(tick["ExchangeInstrumentID"]), exchange)
                if symbol:
                    price = tick["Touchline"]["LastTradedPrice"]
                    self.out.append([f"{exchange}_{symbol}_QUOTE", price])
            except (ValueError, KeyError):
                # heartbeats
                pass
        return self.out
