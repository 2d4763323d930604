import logging

from tests.lookahead.brokers.coral.mapping.lookup import FEED_SEGMENT, resolve_feed
from tests.lookahead.brokers.coral.mapping.transform_data import map_exchange, map_exchange_type
from tests.lookahead.token_db import get_token

logger = logging.getLogger(__name__)


class CoralAdapter:
    PER_PACKET = 100

    def __init__(self):
        self.wanted = {}
        self.queue = []

    def subscribe(self, symbols):
        instruments = []
        for s in symbols:
            token = get_token(s["symbol"], s["exchange"])
            if not token:
                continue
            segment = map_exchange_type(s["exchange"])
            if (segment, token) in self.wanted:
                continue
            self.wanted[segment, token] = s["symbol"]
            instruments.append({"ExchangeSegment": segment, "SecurityId": token})
        packets = []
        for i in range(0, len(instruments), self.PER_PACKET):
            part = instruments[i : i + self.PER_PACKET]
            packets.append({"RequestCode": 15, "InstrumentCount": len(part), "List": part})
        return packets

    def on_packets(self, packets):
        for packet in packets:
            try:
                symbol = resolve_feed(packet)
                exchange = map_exchange(FEED_SEGMENT[packet["exchangeSegment"]])
                if symbol and packet["type"] in (2, 4, 8):
                    tick = {"topic": f"{exchange}_{symbol}", "ltp": round(packet["LTP"], 2)}
                    self.queue.append(tick)
            except KeyError as e:
                logger.debug("packet of a new kind: %s", e)
        return self.queue
