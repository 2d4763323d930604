"""The front office: order entry, quotes, the feed."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.lookahead.brokers.kyanite.records import BOARDS, board_exchange
from tests.lookahead.brokers.kyanite.resolver import padded_token
from tests.lookahead.token_db import get_br_symbol, get_oa_symbol, get_symbol, get_token

logger = logging.getLogger(__name__)

BOARD_OF = {exchange: board for board, exchange in BOARDS.items()}


def encode_order(order):
    """A line of Kyanite's order file, or ValueError."""
    exchange = order["exchange"]
    scrip = padded_token(order["symbol"], exchange)
    if scrip == "":
        raise ValueError(f"{order['symbol']}@{exchange}")
    return "|".join([BOARD_OF.get(exchange, "?"), scrip, order["side"], str(order["quantity"])])


def _try_encode(order):
    try:
        return {"line": encode_order(order), "error": None}
    except ValueError as error:
        return {"line": None, "error": str(error)}


def encode_basket(orders):
    """Encodes a basket in ten threads."""
    with ThreadPoolExecutor(10) as executor:
        encoded = list(executor.map(_try_encode, orders))
    lines = [entry["line"] for entry in encoded if entry["line"]]
    errors = [entry["error"] for entry in encoded if entry["error"]]
    return {"lines": lines, "errors": errors}


def price_basket(http, rows):
    """Prices (place, row) pairs as they are ready."""

    def price(pair):
        place, row = pair
        name = get_br_symbol(row["symbol"], row["exchange"])
        if name is None:
            return place, None
        return place, http.price(name)

    prices = [None] * len(rows)
    total = 0.0
    with ThreadPoolExecutor(max_workers=10) as executor:
        for future in as_completed([executor.submit(price, pair) for pair in enumerate(rows)]):
            place, value = future.result()
            prices[place] = value
    for row, value in zip(rows, prices, strict=True):
        if value is not None:
            total += value * row["quantity"]
    return {"prices": prices, "total": round(total, 2)}


def resolve_in_threads(rows):
    """Names of rows, five rows to a thread."""
    names = {}
    guard = threading.Lock()

    def run(start, part):
        for offset, row in enumerate(part):
            symbol = get_symbol(row["scrip"].lstrip("0"), board_exchange(row["board"]))
            with guard:
                names[start + offset] = symbol or "-"

    threads = []
    for start in range(0, len(rows), 5):
        threads.append(threading.Thread(target=run, args=(start, rows[start:start + 5])))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [names[place] for place in range(len(rows))]


def cancel_open(http, book):
    """Cancels open orders; three failures are enough."""
    failures = 0
    done = []
    for row in filter(lambda entry: entry["state"].upper() == "OPEN", book):
        label = get_oa_symbol(row["name"], board_exchange(row["board"]))
        if label is None:
            failures += 1
            if failures >= 3:
                done.append("gave up")
                break
            continue
        attempt = 0
        while attempt < 2:
            attempt += 1
            if http.cancel(row["id"], attempt):
                done.append(f"{label} cancelled")
                break
            time.sleep(0)
        else:
            done.append(f"{label} failed")
    return done


def margin_file(book):
    """Lines of the margin file, with a trailer that counts them."""
    started = len(book)
    lines = []
    skipped = []
    while book:
        row = book.pop(0)
        token = get_token(row["symbol"], row["exchange"])
        if token is None:
            skipped.append(row["symbol"])
            continue
        side = "D" if row["quantity"] >= 0 else "C"
        lines.append(f"{side}{token:>12}{abs(row['quantity']):>8}")
    lines.append(f"T{len(lines):>12}{started:>8}")
    return {"lines": lines, "skipped": skipped}


def _wanted(symbols):
    """Symbols once each, as pairs, from text or pairs or objects."""
    seen = set()
    for item in symbols:
        if isinstance(item, str):
            exchange, symbol = item.split(":", 1)
        elif isinstance(item, dict):
            exchange, symbol = item.get("exchange"), item.get("symbol")
        else:
            exchange, symbol = item
        if (exchange, symbol) in seen:
            continue
        seen.add((exchange, symbol))
        yield exchange, symbol


class KyaniteFeed:
    """A feed that wants fixed width keys."""

    def __init__(self):
        self.by_key = {}
        self.commands = []

    def subscribe(self, symbols):
        for exchange, symbol in _wanted(symbols):
            scrip = padded_token(symbol, exchange, 12)
            if not scrip:
                self.commands.append(f"ERR {symbol}")
                continue
            key = f"{BOARD_OF.get(exchange, 'XXXX/XX')}:{scrip}"
            self.by_key[key] = symbol
            self.commands.append(f"SUB {key}")
        return self.commands

    def decode(self, messages):
        """Messages are bytes with a key and a price."""
        decoded = []
        for message in messages:
            try:
                key, price = message.decode("ascii").split(" ")
                board, scrip = key.split(":")
            except (UnicodeDecodeError, ValueError):
                continue
            exchange = board_exchange(board)
            symbol = get_symbol(int(scrip), exchange)
            decoded.append((symbol if symbol else f"#{int(scrip)}", float(price)))
        return decoded


def feed_commands(symbols):
    return KyaniteFeed().subscribe(symbols)


def feed_decode(messages):
    return KyaniteFeed().decode(messages)
