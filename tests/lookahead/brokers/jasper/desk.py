"""The desk: baskets, margins, squaring off, quotes, the stream."""

import logging
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice

from tests.lookahead.brokers.jasper.wire import (
    UnmappedInstrument,
    bare_name,
    letter_of,
    spell_exchange,
    wire_instrument,
    wire_name,
)
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_token

logger = logging.getLogger(__name__)


def compose_order(order):
    """Jasper's form of an order, all text; None if its instrument has no name."""
    name = wire_name(order["symbol"], order["exchange"])
    if not name:
        return None
    return {
        "ex": letter_of(order["exchange"]),
        "ts": name,
        "q": str(order["quantity"]),
        "tt": order["action"][0],
    }


def _work(job):
    client, order = job
    form = compose_order(order)
    if form is None:
        return f"{order['symbol']}: rejected"
    return f"{order['symbol']}: {client.send('place', form)}"


def run_basket(client, basket):
    """Jobs are pairs; the pool maps them."""
    jobs = [(client, order) for order in basket]
    with ThreadPoolExecutor(10) as pool:
        lines = list(pool.map(_work, jobs))
    rejected = [line for line in lines if line.endswith("rejected")]
    return {"lines": lines, "rejected": len(rejected)}


def modify_many(client, changes):
    """Changes to many orders at once. Each worker gets its row."""

    def worker(row):
        try:
            instrument = wire_instrument(row["symbol"], row["exchange"])
        except UnmappedInstrument as error:
            return {"no": row["no"], "error": f"{error} is unknown"}
        return {"no": row["no"], "reply": client.send("modify", {"ts": instrument})}

    replies = []
    with ThreadPoolExecutor(max_workers=10) as pool:
        futures = [pool.submit(worker, row) for row in changes]
        for future in as_completed(futures):
            replies.append(future.result())
    replies.sort(key=lambda reply: reply["no"])
    return replies


def square_off(client, rows, limit=None):
    """Closes positions, the first `limit` of them if one is given."""
    closed = []
    ignored = []
    for row in islice(rows, limit):
        net = int(row["nq"])
        if net == 0:
            ignored.append(row["ts"])
            continue
        exchange = spell_exchange(row["ex"])
        symbol = get_oa_symbol(brsymbol=bare_name(row["ts"]), exchange=exchange)
        if symbol is None:
            ignored.append(row["ts"])
            continue
        form = compose_order({
            "symbol": symbol,
            "exchange": exchange,
            "quantity": abs(net),
            "action": "SELL" if net > 0 else "BUY",
        })
        closed.append((symbol, client.send("place", form)))
    return closed, ignored


def span_margin(baskets):
    """Several baskets, one request: a list of lists of forms."""
    request = []
    for account, legs in baskets.items():
        forms = []
        for leg in legs:
            token = get_token(symbol=leg["symbol"], exchange=leg["exchange"])
            if token is None:
                logger.warning("%s: %s has no token", account, leg["symbol"])
                continue
            forms.append({
                "ex": letter_of(leg["exchange"]),
                "tk": token.zfill(8),
                "ts": get_br_symbol(symbol=leg["symbol"], exchange=leg["exchange"]),
                "nq": leg["quantity"],
            })
        request.append({"ac": account, "fs": forms, "n": len(forms)})
    return request


def snapshot(client, watch):
    """Quotes by token for a watch list of (exchange, symbol) pairs."""
    rows = []
    for exchange, symbol in watch:
        real_exchange = exchange
        if symbol in ("NIFTY", "BANKNIFTY", "FINNIFTY"):
            real_exchange = "NSE_INDEX"
        elif symbol in ("SENSEX", "BANKEX"):
            real_exchange = "BSE_INDEX"
        token = get_token(symbol, real_exchange)
        if not token:
            rows.append({"symbol": symbol, "error": "unknown"})
            continue
        reply = client.send("quote", {"ts": f"{letter_of(exchange)}|{token}"})
        rows.append({"symbol": symbol, "token": int(token), "reply": reply})
    return rows


class JasperStream:
    """Subscribes with one long text and reads packets in Jasper's short form."""

    def __init__(self, socket):
        self.socket = socket
        self.names = {}
        self.lost = []

    def subscribe(self, symbols):
        parts = []
        for item in symbols:
            try:
                instrument = self._instrument(item)
            except UnmappedInstrument as error:
                self.lost.append(str(error))
                continue
            except (KeyError, TypeError) as error:
                self.lost.append(type(error).__name__)
                continue
            self.names[instrument] = item["symbol"]
            parts.append(instrument)
        if parts:
            self.socket.append("t|" + "#".join(parts))
        return len(parts)

    def _instrument(self, item):
        return self._qualified(item["symbol"], item["exchange"])

    def _qualified(self, symbol, exchange):
        return wire_instrument(symbol, exchange)

    def on_packets(self, packets):
        """(symbol, price) of packets that carry a name and a price."""
        updates = []
        for packet in packets:
            if packet.get("t") != "tf" or "lp" not in packet:
                continue
            exchange = spell_exchange(packet.get("e"))
            name = packet.get("ts", "")
            cut = name[:-3] if name.endswith("-EQ") else name
            symbol = get_oa_symbol(cut, exchange)
            updates.append((symbol or name, float(packet["lp"])))
        return updates


def stream_subscribe(symbols):
    socket = []
    stream = JasperStream(socket)
    count = stream.subscribe(symbols)
    return {"count": count, "socket": socket, "names": stream.names, "lost": stream.lost}


def stream_packets(packets):
    return JasperStream([]).on_packets(packets)
