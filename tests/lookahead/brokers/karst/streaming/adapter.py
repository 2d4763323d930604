from dataclasses import dataclass, field

from tests.lookahead.token_db import get_symbol, get_token


@dataclass
class Feed:
    """The same socket as everybody's: subscribe by "NSE|22#NSE|33", ticks by e and tk."""

    names: dict = field(default_factory=dict)
    ticks: dict = field(default_factory=dict)

    def subscribe(self, symbols):
        keys = []
        for item in symbols:
            exchange = item["exchange"].split("_")[0]
            token = get_token(item["symbol"], item["exchange"])
            if token and f"{exchange}|{token}" not in self.names:
                self.names[f"{exchange}|{token}"] = item["symbol"]
                keys.append(f"{exchange}|{token}")
        return {"k": "#".join(keys), "t": "t"}

    def handle(self, messages):
        for message in messages:
            match message:
                case {"t": "tk" | "tf", "e": exchange, "tk": token, "lp": price}:
                    name = self.names.get(f"{exchange}|{token}")
                    if name is None:
                        name = get_symbol(token, exchange)
                    if name is None:
                        continue
                    self.ticks[f"{exchange}:{name}"] = float(price)
                case _:
                    continue
        return self.ticks
