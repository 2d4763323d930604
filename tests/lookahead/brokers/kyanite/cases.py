"""What Kyanite's functions are tried with."""

from dataclasses import dataclass

from tests.lookahead.brokers.kyanite import backoffice, frontoffice
from tests.lookahead.brokers.kyanite.records import BOARDS
from tests.lookahead.contract import Case

BOARD_OF = {exchange: board for board, exchange in BOARDS.items()}


@dataclass
class Terminal:
    """Prices by name, and cancels all but some orders."""

    base: float = 10.0

    def price(self, name):
        return round(self.base + sum(name.encode()) / 4, 2)

    def cancel(self, order_id, attempt):
        return order_id % 4 != 0 or (attempt == 2 and order_id % 8 == 0)


def _chosen(contract, seed):
    shares = contract.pick(seed, 24, "NSE")
    futures = contract.pick(seed, 18, "NFO", "CDS")
    bombay = contract.pick(seed, 8, "BSE")
    chosen = shares[:12] + futures[:9] + bombay + shares[12:] + futures[9:]
    return chosen + chosen[20:23]


def _note(contract):
    lines = []
    for place, item in enumerate(_chosen(contract, 501)):
        board = BOARD_OF[item.exchange]
        lines.append(f"T{place:03}| {board.lower() if place % 7 == 0 else board} |"
                     f"{item.token.zfill(10)}|{'BS'[place % 2]}|{place + 1}|{50 + place}.5")
    lines[10] = "T010|XNSE/EQ|0000000009|B|1|1.0"
    lines[30] = "T030|XNSE/EQ|||B|1|1.0"
    lines[31] = "T031|XNSE/EQ||B|1|1.0"
    lines[32] = "T032|XNSE/FO|0044444444|S|2|2.0"
    return (lines,)


def _demat(contract):
    lines = ["ISIN,SCRIP,UNITS"]
    for place, item in enumerate(contract.pick(502, 40, "NSE") + contract.pick(502, 10, "BSE")):
        name = item.brsymbol.lower() if place % 4 == 1 else f" {item.brsymbol}"
        lines.append(f"INE{place:05},{name},{place}")
    lines[12] = "INE00011,,9"
    lines[22] = "INE00021,DISSOLVED,9"
    lines[23] = "INE00022,555555,9"
    return ("\n".join(lines),)


def _rows(contract, seed):
    rows = []
    for place, item in enumerate(_chosen(contract, seed)):
        rows.append([item.token.zfill(9), BOARD_OF[item.exchange], (place % 9 - 4) * 3])
    rows[7][0] = "000000001"
    rows[17][0] = ""
    rows[37][0] = None
    return rows


def _accounts(contract):
    rows = _rows(contract, 503)
    return ([
        {"owner": "mother", "rows": rows[:16]},
        {"owner": "father", "rows": rows[16:20]},
        {"owner": "trust", "rows": []},
        {"owner": "child", "rows": rows[20:]},
    ],)


def _fixed(contract):
    chosen = _chosen(contract, 504)
    lines = [f"{item.token.zfill(12)}{BOARD_OF[item.exchange]:<8}{place % 6 * 10:>8}"
             for place, item in enumerate(chosen)]
    lines[4] = "short"
    lines[5] = f"{'77':0>12}{'XNSE/FO':<8}{1:>8}"
    return lines, chosen[43].symbol


def _ledger(contract):
    lines = []
    for place, item in enumerate(_chosen(contract, 505)):
        lines.append(f"{item.brsymbol}~{BOARD_OF[item.exchange]}~{place * 10}.00")
        if place % 6 == 5:
            lines += ["+1.50", "+0.25"]
    lines[9] = "ROUNDING~XNSE/EQ~0.01"
    lines[19] = "~XNSE/EQ~0.02"
    return (lines,)


def _triggers(contract):
    triggers = []
    for place, item in enumerate(_chosen(contract, 506)):
        triggers.append({
            "id": place,
            "state": ("armed", "fired", "armed", "void")[place % 4],
            "detail": {"name": item.brsymbol, "board": f" {BOARD_OF[item.exchange]}"},
        })
    triggers[2]["detail"] = None
    triggers[13]["detail"]["name"] = None
    triggers[23]["detail"]["name"] = "EXTINCT"
    triggers[33]["detail"]["name"] = 20260814
    return (triggers,)


def _notices(contract):
    scrips = contract.pick(507, 34, "NSE") + contract.pick(507, 16, "NFO")
    scrips.sort(key=lambda item: item.token[-2:])
    notices = [{"scrip": item.symbol, "kind": "dividend"} for item in scrips]
    notices[9]["scrip"] = "PRIVATE"
    notices[29]["scrip"] = ""
    return (notices,)


def _held(contract):
    held = {"NFO": [], "MCX": [], "NSE": [], "CDS": []}
    for exchange, count in (("NFO", 22), ("MCX", 10), ("NSE", 8), ("CDS", 10)):
        held[exchange] = [item.symbol for item in contract.pick(508, count, exchange)]
    held["NFO"][5] = "EXPIRED"
    held["MCX"][5] = None
    return (held,)


def _files(contract):
    ours, theirs = [], []
    for place, item in enumerate(_chosen(contract, 509)):
        ours.append({"symbol": item.symbol, "quantity": place})
        theirs.append({
            "scrip": item.token.zfill(11),
            "board": BOARD_OF[item.exchange],
            "quantity": place + (1 if place % 10 == 0 else 0),
        })
    theirs[14]["scrip"] = "0"
    ours[24]["symbol"] = "OTHERWISE"
    return ours, theirs[:52]


def _orders(contract, seed):
    orders = []
    for place, item in enumerate(_chosen(contract, seed)):
        orders.append({
            "symbol": item.symbol,
            "exchange": item.exchange,
            "side": "BS"[place % 2],
            "quantity": place - 20,
        })
    orders[6]["symbol"] = "GONE"
    orders[16]["symbol"] = None
    orders[36]["symbol"] = "GONEAGAIN"
    return orders


def _threaded(contract):
    return ([{"scrip": scrip or "", "board": board} for scrip, board, _ in _rows(contract, 512)],)


def _cancel(contract):
    book = []
    for place, item in enumerate(_chosen(contract, 513)):
        book.append({
            "id": place,
            "name": item.brsymbol,
            "board": BOARD_OF[item.exchange],
            "state": ("Open", "done", "OPEN")[place % 3],
        })
    book[3]["name"] = "LOST"
    book[21]["name"] = ""
    book[48]["name"] = "LOSTTOO"
    return Terminal(), book


def _mixed_symbols(contract):
    mixed = []
    for place, order in enumerate(_orders(contract, 515)):
        if order["symbol"] is None or place % 3 == 0:
            mixed.append({"symbol": order["symbol"], "exchange": order["exchange"]})
        elif place % 3 == 1:
            mixed.append(f"{order['exchange']}:{order['symbol']}")
        else:
            mixed.append((order["exchange"], order["symbol"]))
    return (mixed,)


def _messages(contract):
    messages = [f"{BOARD_OF[item.exchange]}:{item.token.zfill(12)} {place}.75".encode()
                for place, item in enumerate(_chosen(contract, 516))]
    messages[8] = b"\xff\xfe"
    messages[18] = b"heartbeat"
    messages[28] = b"XNSE/EQ:000000000003 1.0"
    return (messages,)


def cases(contract):
    return [
        Case("kyanite_contract_note", backoffice.contract_note, lambda: _note(contract)),
        Case("kyanite_demat", backoffice.demat_statement, lambda: _demat(contract)),
        Case("kyanite_book_positions", backoffice.book_positions, lambda: _accounts(contract)),
        Case("kyanite_find_position", backoffice.find_position, lambda: _fixed(contract)),
        Case("kyanite_ledger", backoffice.daily_ledger, lambda: _ledger(contract)),
        Case("kyanite_triggers", backoffice.triggers_in_force, lambda: _triggers(contract)),
        Case("kyanite_corporate_actions", backoffice.corporate_actions,
             lambda: _notices(contract)),
        Case("kyanite_expiries", backoffice.expiry_calendar, lambda: _held(contract)),
        Case("kyanite_reconcile", backoffice.reconcile_files, lambda: _files(contract)),
        Case("kyanite_basket_map", frontoffice.encode_basket,
             lambda: (_orders(contract, 510),)),
        Case("kyanite_basket_submit", frontoffice.price_basket,
             lambda: (Terminal(), _orders(contract, 511))),
        Case("kyanite_threads", frontoffice.resolve_in_threads, lambda: _threaded(contract)),
        Case("kyanite_cancel_open", frontoffice.cancel_open, lambda: _cancel(contract)),
        Case("kyanite_margin_file", frontoffice.margin_file,
             lambda: (_orders(contract, 514),)),
        Case("kyanite_subscribe", frontoffice.feed_commands, lambda: _mixed_symbols(contract)),
        Case("kyanite_decode", frontoffice.feed_decode, lambda: _messages(contract)),
    ]
