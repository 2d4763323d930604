"""Granite's segments (numbers in books of the interactive API, names elsewhere) and instruments."""

from dataclasses import dataclass

from tests.lookahead.token_db import get_symbol, get_symbol_info, get_token

BY_NAME = {
    "NSECM": "NSE",
    "NSEFO": "NFO",
    "NSECD": "CDS",
    "BSECM": "BSE",
    "BSEFO": "BFO",
    "MCXFO": "MCX",
}
BY_NUMBER = {1: "NSE", 2: "NFO", 3: "CDS", 11: "BSE", 12: "BFO", 51: "MCX"}
NAME_OF = {ours: theirs for theirs, ours in BY_NAME.items()}
NUMBER_OF = {ours: theirs for theirs, ours in BY_NUMBER.items()}


def exchange_of(segment):
    if isinstance(segment, int):
        return BY_NUMBER.get(segment)
    if segment and segment.isdigit():
        return BY_NUMBER.get(int(segment))
    return BY_NAME.get(segment)


@dataclass(frozen=True)
class Instrument:
    segment: object
    instrument_id: int

    @property
    def exchange(self):
        return exchange_of(self.segment)

    def symbol(self):
        if not self.instrument_id:
            return None
        return get_symbol(str(self.instrument_id), self.exchange)

    @classmethod
    def find(cls, symbol, exchange):
        token = get_token(symbol, exchange)
        if token is None:
            return None
        return cls(NUMBER_OF.get(exchange, exchange), int(token))

    def body(self):
        return {"exchangeSegment": self.segment, "exchangeInstrumentID": self.instrument_id}


def lots(symbol, exchange, quantity):
    """Quantities are in lots on MCX only."""
    if exchange != "MCX":
        return quantity
    info = get_symbol_info(symbol, exchange)
    return quantity // info.lotsize if info else quantity
